//! `GET /metrics` on an address of this machine.
//!
//! In: connections of any program here. Out: the text, made for each request. One thread; a few connections at once, each for
//! a few seconds and one request: who does not read or write is closed.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::Semaphore};

use super::Shared;

/// The version of the text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Connections at once.
const CONNECTIONS: usize = 8;
/// For the head of a request, and for the whole of it.
const HEAD: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(10);
/// The smallest that the library takes.
const BUFFER: usize = 8 << 10;

/// Listens from now on; the address must be one that only this machine has.
pub(super) fn listen(address: SocketAddr, shared: Arc<Shared>) -> Result<()> {
    ensure!(
        address.ip().is_loopback(),
        "{address} can be reached from other machines: give one such as 127.0.0.1:9987"
    );
    let listener = TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .with_context(|| format!("listen for metrics at {address}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = move || {
        runtime.block_on(async {
            if let Err(error) = accept(listener, shared).await {
                log::warn!("metrics are not served: {error}");
            }
        });
    };
    std::thread::Builder::new()
        .name("metrics-http".to_owned())
        .spawn(run)
        .context("start the thread that serves metrics")?;
    Ok(())
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Others wait in the kernel's queue, which is bounded as well.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return Ok(());
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(stream, shared).await;
                    drop(permit);
                });
            }
            Err(error) => {
                log::debug!("a reader of metrics could not connect: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let answer = service_fn(move |request| {
        let response = answer(&request, &shared);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer);
    match tokio::time::timeout(WHOLE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("a reader of metrics: {error}"),
        Err(_late) => log::debug!("a reader of metrics took more than {} s", WHOLE.as_secs()),
    }
}

fn answer(request: &Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match shared.text() {
            Ok(text) => (StatusCode::OK, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        },
        (&Method::GET | &Method::HEAD, _) => {
            (StatusCode::NOT_FOUND, "taintwatch: /metrics\n".to_owned())
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, "GET it\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let format = hyper::header::HeaderValue::from_static(FORMAT);
    response.headers_mut().insert(CONTENT_TYPE, format);
    response
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
        sync::{Mutex, atomic::AtomicBool},
        time::Instant,
    };

    use super::*;
    use crate::output::metrics::State;

    fn begin() -> SocketAddr {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let shared = Shared {
            state: Mutex::new(State::default()),
            is_running: AtomicBool::new(true),
        };
        listen(address, Arc::new(shared)).unwrap();
        address
    }

    fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        // It may be closed before all is written.
        _ = stream.write_all(request);
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[test]
    fn it_answers_one_question_and_no_other() {
        let address = begin();
        let metrics = ask(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
        assert!(metrics.contains("version=0.0.4"), "{metrics}");
        assert!(metrics.contains("\ntaintwatch_monitored 1\n"), "{metrics}");
        for (request, code) in [
            (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "404"),
            (
                b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
                "405",
            ),
            (b"\0\xff garbage\r\n\r\n", "400"),
        ] {
            let answer = ask(address, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
        }
        let long = [
            b"GET /metrics HTTP/1.1\r\nX: ".as_slice(),
            &vec![b'x'; 64 << 10],
            b"\r\n\r\n",
        ]
        .concat();
        assert!(!ask(address, &long).contains(" 200 "));
    }

    #[test]
    fn who_says_nothing_is_closed_and_others_get_their_turn() {
        let address = begin();
        let silent: Vec<_> = (0..3 * CONNECTIONS)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let began = Instant::now();
        let metrics = ask(address, b"GET /metrics HTTP/1.0\r\n\r\n");
        assert!(metrics.contains("taintwatch_monitored"), "{metrics}");
        assert!(began.elapsed() < 5 * HEAD);
        drop(silent);
    }

    #[test]
    fn an_address_of_the_network_is_refused() {
        let shared = || {
            Arc::new(Shared {
                state: Mutex::new(State::default()),
                is_running: AtomicBool::new(true),
            })
        };
        for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
            let error = listen(address.parse().unwrap(), shared()).unwrap_err();
            assert!(error.to_string().contains("other machines"), "{error}");
        }
    }
}
