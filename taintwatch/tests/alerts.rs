//! The alerts and the dashboard that ship, in a real Prometheus and a real Alertmanager.
//!
//! In: the folder of their programs, in `TAINTWATCH_PROMETHEUS`; without it nothing is tested. `cargo xtask test` fetches
//! them. Out: a failure where an alert does not fire for a new flag, fires for a known one, or a query of the dashboard
//! gives nothing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends where it fails"
)]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use taintwatch::{
    event::{Event, Mask, Time},
    output::metrics::{About, State, text},
    taint::tables::LINUX,
};

const PATIENCE: Duration = Duration::from_secs(90);
/// Two scrapes and two evaluations.
const ROUNDS: Duration = Duration::from_secs(5);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Answers every request with what a machine's metrics are now.
fn machine(state: &Arc<Mutex<(State, Mask)>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let state = Arc::clone(state);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            _ = stream.read(&mut [0; 4096]);
            let (state, mask) = state.lock().unwrap().clone();
            let about = About {
                mask: Some(mask),
                table: LINUX,
                kernel: "6.1.0".to_owned(),
                now: Time(jiff::Timestamp::now()),
                is_running: true,
            };
            let body = text(&state, &about).unwrap();
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n";
            _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    port
}

fn flag(bit: u32, letter: char, at: jiff::Timestamp) -> Event {
    serde_json::from_value(json!({
        "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": format!("{at:.9}"),
        "taint": {"bit": bit, "letter": letter, "count": 1},
        "cause": {"class": "kernel_code", "summary": "x", "confidence": "observed", "sources": []},
    }))
    .unwrap()
}

/// Without a library: the answer to HTTP/1.0 ends where the connection does.
fn get(port: u16, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

fn query(port: u16, query: &str) -> Value {
    let encoded: Vec<_> = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let encoded = encoded.concat();
    get(port, &format!("/api/v1/query?query={encoded}")).unwrap_or_default()
}

fn wait_for(what: &str, folder: &Path, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}{}", said(folder));
        thread::sleep(Duration::from_millis(300));
    }
}

/// What the programs printed.
fn said(folder: &Path) -> String {
    ["prometheus", "prometheus-alertmanager"]
        .map(|name| fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default())
        .join("\n")
}

/// Which flags an alert is there for, as Alertmanager has it.
fn flags_of(alertmanager: u16, alert: &str) -> Vec<String> {
    let alerts = get(alertmanager, "/api/v2/alerts").unwrap_or_default();
    let of_name = alerts.as_array().into_iter().flatten();
    let of_name = of_name.filter(|it| it["labels"]["alertname"] == alert);
    of_name
        .map(|it| it["labels"]["flag"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../packaging")
        .join(path)
}

/// In a mount namespace: Debian's Alertmanager has the place of its templates built in.
fn start(programs: &Path, name: &str, folder: &Path, arguments: &[String]) -> Running {
    const INSIDE: &str = "mount --bind \"$0\" /usr/share && exec \"$@\"";
    let said = fs::File::create(folder.join(format!("{name}.log"))).unwrap();
    let child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", INSIDE])
        .arg(programs.join("../share"))
        .arg(programs.join(name))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .spawn();
    Running(child.unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[test]
fn the_tools_own_tests_of_the_rules_pass() {
    let Some(programs) = env::var_os("TAINTWATCH_PROMETHEUS") else {
        return;
    };
    for words in [
        ["check", "rules", "taintwatch.rules.yml"],
        ["test", "rules", "taintwatch.rules.test.yml"],
    ] {
        let promtool = Command::new(Path::new(&programs).join("promtool"))
            .args(words)
            .current_dir(shipped("prometheus"))
            .output()
            .unwrap();
        assert!(promtool.status.success(), "{words:?}: {promtool:?}");
    }
}

#[test]
fn a_new_flag_fires_and_the_dashboard_shows_it() {
    let Some(programs) = env::var_os("TAINTWATCH_PROMETHEUS") else {
        return;
    };
    let programs = Path::new(&programs);
    let now = jiff::Timestamp::now();
    let long_ago = now - jiff::SignedDuration::from_hours(24);
    let mut known = State::default();
    known.see(&flag(12, 'O', long_ago));
    let lost: Event = serde_json::from_value(json!({
        "schema": 1, "id": "z", "seq": 3, "kind": "lost", "lost": {"count": 2, "reason": "full", "what": "detail"},
    }))
    .unwrap();
    known.see(&lost);
    let state = Arc::new(Mutex::new((known, Mask(1 << 12))));
    let (target, port, alerts) = (machine(&state), free_port(), free_port());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let rules = shipped("prometheus/taintwatch.rules.yml");
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules:?}]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alerts}']}}]}}]}}\n\
         scrape_configs: [{{job_name: taintwatch, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    );
    fs::write(path.join("prometheus.yml"), config).unwrap();
    let route = "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n";
    fs::write(path.join("alertmanager.yml"), route).unwrap();
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let listen = |port| format!("--web.listen-address=127.0.0.1:{port}");
    let mut arguments = words(&[
        "--config.file=alertmanager.yml",
        "--storage.path=alerts",
        "--cluster.listen-address=",
    ]);
    arguments.push(listen(alerts));
    let _alertmanager = start(programs, "prometheus-alertmanager", path, &arguments);
    let mut arguments = words(&["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    arguments.push(listen(port));
    let _prometheus = start(programs, "prometheus", path, &arguments);

    let is_there = |text: &str| {
        let found = query(port, text);
        found["data"]["result"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    };
    wait_for("no scrape", path, || is_there("kernel_taint_mask == 4096"));
    thread::sleep(ROUNDS);
    assert_eq!(
        flags_of(alerts, "KernelTaintedNew"),
        [""; 0],
        "a known flag"
    );

    {
        let mut state = state.lock().unwrap();
        state.0.see(&flag(9, 'W', jiff::Timestamp::now()));
        state.1 = Mask(1 << 12 | 1 << 9);
    }
    wait_for("no alert of a new flag", path, || {
        !flags_of(alerts, "KernelTaintedNew").is_empty()
    });
    state
        .lock()
        .unwrap()
        .0
        .see(&flag(9, 'W', jiff::Timestamp::now()));
    wait_for("no alert of a warning that is not the first", path, || {
        !flags_of(alerts, "KernelWarnsAgain").is_empty()
    });
    assert_eq!(flags_of(alerts, "KernelTaintedNew"), ["W"]);
    assert_eq!(flags_of(alerts, "KernelTaintedSerious"), [""; 0]);
    assert_eq!(flags_of(alerts, "TaintwatchNotMonitoring"), [""; 0]);
    dashboard(&is_there);
}

/// Each query of the dashboard gives data.
fn dashboard(is_there: &dyn Fn(&str) -> bool) {
    let dashboard = fs::read_to_string(shipped("grafana/taintwatch.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut queries = 0;
    for target in targets {
        let text = target["expr"].as_str().unwrap();
        let asked = ["$job", "$instance"]
            .iter()
            .fold(text.to_owned(), |text, name| text.replace(name, ".*"));
        assert!(
            is_there(&asked.replace("$__rate_interval", "1m")),
            "nothing for {text}"
        );
        queries += 1;
    }
    assert!(queries > panels.len());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(
        variables
            .iter()
            .skip(1)
            .all(|it| it["query"].to_string().contains("taintwatch_build_info"))
    );
}
