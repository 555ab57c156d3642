//! The HTML report in a real browser: what it draws is the history, and names and licences stay text.
//!
//! In: the fixture of three boots, whose modules and arguments are markup that would load and run. A listener takes
//! the place of every host, and must hear nothing; that it would, and that the policy is what stops a slip, is
//! proven on copies of the page that are made worse on purpose.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{cache, run};

const FIXTURE: &str = "taintwatch/tests/fixtures/three-boots.jsonl";
/// The fixture's hostile module, as the page must show it.
const HOSTILE: &str = "&lt;img src=x onerror=document.title='owned'&gt;";
/// What slips in when escaping fails.
const SLIP: &str = "<img src=\"http://report.test/slip\"><script>document.title='owned'</script>";

pub(super) fn run() -> Result<()> {
    let page = Page::make()?;
    let browser = Browser::new(&page.folder)?;
    let dom = browser.dom("page.html")?;
    is_text(&dom)?;
    draws(&dom, &page.events)?;
    ensure!(
        !browser.heard(),
        "the page asked for something on the network"
    );
    opens(&page, &browser)?;
    filters(&page, &browser)?;
    policy_holds(&page, &browser)?;
    browser.prints("page.html")
}

/// The report, and the events that it is of.
struct Page {
    folder: PathBuf,
    html: String,
    events: Vec<Value>,
}

impl Page {
    fn make() -> Result<Self> {
        let checkout = cache::checkout()?;
        let folder = checkout.join("target/browser");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let db = folder.join("events.db");
        let cargo = |arguments: &[&str]| {
            let mut cargo = Command::new("cargo");
            cargo.args(["run", "--quiet", "--locked", "--package", "taintwatch"]);
            cargo.args(arguments).current_dir(&checkout);
            cargo
        };
        let fixture = fs::File::open(checkout.join(FIXTURE))?;
        let made = cargo(&["--example", "history", "--"])
            .arg(&db)
            .stdin(fixture)
            .status()?;
        ensure!(made.success(), "make a history of {FIXTURE}: {made}");
        let report = |arguments: &[&str]| {
            let mut report = cargo(&["--bin", "taintwatch", "--", "--db"]);
            report
                .arg(&db)
                .args(["report", "--boot", "all"])
                .args(arguments);
            run::quiet(report.current_dir(&folder))
        };
        report(&["--html", "page.html"])?;
        let lines = report(&["--json"])?;
        let events = lines.lines().map(serde_json::from_str);
        Ok(Self {
            html: fs::read_to_string(folder.join("page.html"))?,
            events: events.collect::<Result<_, _>>()?,
            folder,
        })
    }

    /// A copy in which every `from` is `to`.
    fn copy(&self, name: &str, changes: &[(&str, &str)]) -> Result<()> {
        let mut html = self.html.clone();
        for (from, to) in changes {
            ensure!(html.contains(from), "the page has no {from:?}");
            html = html.replace(from, to);
        }
        Ok(fs::write(self.folder.join(name), html)?)
    }

    /// The page's own policy.
    fn policy(&self) -> Result<&str> {
        let rest = self
            .html
            .split("http-equiv=\"Content-Security-Policy\" content=\"")
            .nth(1);
        rest.and_then(|rest| rest.split('"').next())
            .context("the page has no policy")
    }
}

/// Chromium, which finds a listener in the place of the host that the hostile texts name.
struct Browser {
    folder: PathBuf,
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Browser {
    fn new(folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        // Closes every connection at once, so that no client waits; ends with this process.
        thread::spawn(move || {
            for _call in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(Self {
            folder: folder.to_owned(),
            port,
            calls,
        })
    }

    /// A connection came since the last check.
    fn heard(&self) -> bool {
        self.calls.swap(0, Ordering::SeqCst) > 0
    }

    /// The page as it stands when its script has run.
    fn dom(&self, name: &str) -> Result<String> {
        self.start(name, &["--dump-dom"])
    }

    fn prints(&self, name: &str) -> Result<()> {
        let pdf = self.folder.join("page.pdf");
        self.start(name, &[&format!("--print-to-pdf={}", pdf.display())])?;
        let printed = fs::read(&pdf).context("the browser printed nothing")?;
        ensure!(
            printed.starts_with(b"%PDF-") && printed.len() > 20_000,
            "the print is {} bytes",
            printed.len()
        );
        Ok(())
    }

    fn start(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let profile = self.folder.join("profile");
        if profile.exists() {
            fs::remove_dir_all(&profile)?;
        }
        let port = self.port;
        let mut chromium = Command::new("timeout");
        chromium.args([
            "120",
            "/usr/bin/chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ]);
        chromium.args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]);
        chromium.args([
            "--disable-dev-shm-usage",
            "--virtual-time-budget=5000",
            "--no-pdf-header-footer",
        ]);
        // Only what the page names: the browser's own hosts are not found.
        chromium.arg(format!(
            "--host-resolver-rules=MAP report.test 127.0.0.1:{port}, MAP * ~NOTFOUND"
        ));
        chromium
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(arguments);
        let url = format!("file://{}/{name}", self.folder.display()).replace(' ', "%20");
        // What it says on standard error is about buses and sandboxes.
        let output = chromium
            .arg(url)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        ensure!(
            output.status.success(),
            "chromium on {name}: {}",
            output.status
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn title(dom: &str) -> &str {
    dom.split("<title>")
        .nth(1)
        .and_then(|rest| rest.split("</title>").next())
        .unwrap_or_default()
}

/// What a module's author wrote is there, and is nothing but text.
fn is_text(dom: &str) -> Result<()> {
    ensure!(
        title(dom).starts_with("Kernel taint report"),
        "the title is {:?}",
        title(dom)
    );
    ensure!(
        dom.contains(HOSTILE),
        "the module's name is not on the page"
    );
    ensure!(
        dom.contains("\\x1b[31m red\\u{202e}gnp.exe"),
        "the licence's control characters are not shown"
    );
    for (element, number) in [
        ("<img", 0),
        ("<script", 2),
        ("<style", 1),
        ("<main", 1),
        ("</main", 1),
    ] {
        let found = dom.matches(element).count();
        ensure!(
            found == number,
            "{found} times {element} instead of {number}"
        );
    }
    let odd = dom
        .chars()
        .find(|c| c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}'));
    ensure!(odd.is_none(), "{odd:?} is on the page as it is");
    Ok(())
}

/// A word of an event, by JSON pointer.
fn text(event: &Value, at: &str) -> String {
    let value = event.pointer(at).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

/// A flag in a boot.
type Key = (String, String);

/// The marks are the history: each first setting at its time, and of repeats every one.
fn draws(dom: &str, events: &[Value]) -> Result<()> {
    let (mut firsts, mut counts) = (Vec::new(), BTreeMap::<Key, u64>::new());
    for event in events
        .iter()
        .filter(|event| text(event, "/kind") == "taint")
    {
        let key = (text(event, "/boot_id"), text(event, "/taint/letter"));
        if event.pointer("/taint/first") != Some(&Value::Bool(false)) {
            firsts.push((key.clone(), text(event, "/time")));
        }
        let count = event.pointer("/taint/count").and_then(Value::as_u64);
        *counts.entry(key).or_default() += count.unwrap_or(1);
    }
    let (mut drawn_firsts, mut drawn_counts) = (Vec::new(), BTreeMap::<Key, u64>::new());
    for mark in dom.split("<a class=\"mark ").skip(1) {
        let tag = mark.split('>').next().unwrap_or_default();
        let value = |name: &str| {
            let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
            rest.split('"').next().map(str::to_owned)
        };
        let Some(flag) = value("data-flag") else {
            continue;
        };
        let key = (value("data-boot").unwrap_or_default(), flag);
        if tag.starts_with("first") {
            drawn_firsts.push((key.clone(), value("data-time").unwrap_or_default()));
        }
        let count = value("data-count").and_then(|count| count.parse::<u64>().ok());
        *drawn_counts.entry(key).or_default() += count.context("a mark without a count")?;
    }
    firsts.sort();
    drawn_firsts.sort();
    ensure!(
        firsts.len() > 10,
        "the fixture has only {} first settings",
        firsts.len()
    );
    ensure!(
        drawn_firsts == firsts,
        "drawn are {drawn_firsts:?}, there are {firsts:?}"
    );
    ensure!(
        drawn_counts == counts,
        "drawn are {drawn_counts:?}, there are {counts:?}"
    );
    Ok(())
}

/// A link to an event opens it.
fn opens(page: &Page, browser: &Browser) -> Result<()> {
    let is_warning = |event: &&Value| {
        let is_first = event.pointer("/taint/first") == Some(&Value::Bool(true));
        text(event, "/taint/letter") == "W" && is_first
    };
    let event = page
        .events
        .iter()
        .find(is_warning)
        .context("no warning in the fixture")?;
    let entry = format!("e{}", event["seq"]);
    let is_open = |dom: &str| {
        let tag = dom.split(&format!("id=\"{entry}\"")).nth(1);
        tag.and_then(|tag| tag.split('>').next())
            .is_some_and(|tag| tag.contains(" open"))
    };
    ensure!(
        !is_open(&browser.dom("page.html")?),
        "{entry} is open before a link names it"
    );
    ensure!(
        is_open(&browser.dom(&format!("page.html#{entry}"))?),
        "a link to {entry} does not open it"
    );
    Ok(())
}

/// The filter leaves what was asked for; a copy of the page, under a policy that lets it be driven.
fn filters(page: &Page, browser: &Browser) -> Result<()> {
    let drive = "<script>const f=document.getElementById('filter');if(f.hidden)throw 0;
        f.querySelector('[name=bit][value=\"9\"]').checked=true;f.elements.text.value='ALLOC_pages';
        f.dispatchEvent(new Event('input',{bubbles:true}));</script></body>";
    let loose = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";
    page.copy(
        "driven.html",
        &[(page.policy()?, loose), ("</body>", drive)],
    )?;
    let dom = browser.dom("driven.html")?;
    let entries = dom.split("<details class=\"event").skip(1);
    let tags: Vec<_> = entries
        .filter_map(|entry| entry.split('>').next())
        .collect();
    let shown: Vec<_> = tags.iter().filter(|tag| !tag.contains(" hidden")).collect();
    let fits = shown.iter().all(|tag| tag.contains("data-bits=\"9\""));
    ensure!(
        shown.len() == 2 && fits && tags.len() > 30,
        "of {} entries these are left: {shown:?}",
        tags.len()
    );
    ensure!(
        dom.contains(&format!("2 of {} entries", tags.len())),
        "the filter does not say what it left"
    );
    Ok(())
}

/// Should markup slip in all the same, the policy stops it; without the policy the listener hears of it.
fn policy_holds(page: &Page, browser: &Browser) -> Result<()> {
    let slip = format!("{SLIP}</body>");
    page.copy("slip.html", &[("</body>", &slip)])?;
    let dom = browser.dom("slip.html")?;
    ensure!(
        title(&dom) != "owned" && !browser.heard(),
        "the policy stops nothing"
    );
    let loose = "default-src * 'unsafe-inline'";
    page.copy("open.html", &[(page.policy()?, loose), ("</body>", &slip)])?;
    let dom = browser.dom("open.html")?;
    ensure!(
        title(&dom) == "owned" && browser.heard(),
        "without a policy nothing happens either: this proves nothing"
    );
    Ok(())
}
