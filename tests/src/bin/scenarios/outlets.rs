//! What a recorder gives to others: metrics, and commands that run on its events.
//!
//! In: a recorder with this configuration. Out: which part of it is missing.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

const FILE: &str = "/tmp/taintwatch.prom";
const ADDRESS: &str = "127.0.0.1:9987";
/// Looks, a tenth of a second apart.
const LOOKS: u32 = 300;

/// Writes the configuration, and what it needs: the loopback device, a user.
pub(crate) fn configuration() -> Result<&'static str> {
    let path = "/tmp/outlets.toml";
    let text = format!(
        "[pins]\nenabled = false\n\n[metrics]\ntextfile = \"{FILE}\"\nlisten = \"{ADDRESS}\"\n\n\
         [[exec]]\ncommand = [\"/bin/sh\", \"-c\", \"id -u > /tmp/exec-$TAINT_FLAG; cat >> /tmp/exec-$TAINT_FLAG\"]\n\
         flag = [\"A\"]\n"
    );
    fs::write(path, text)?;
    // Under systemd both are there.
    Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    if !fs::exists("/etc/passwd")? {
        fs::write(
            "/etc/passwd",
            "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
        )?;
    }
    Ok(path)
}

/// A new flag is in both within seconds.
pub(crate) fn metrics() -> Result<()> {
    let set = "kernel_taint_flag{bit=\"8\",flag=\"A\",name=\"OVERRIDDEN_ACPI_TABLE\"} 1\n";
    ensure!(!read()?.contains(set), "A is set before: {}", read()?);
    fs::write("/proc/sys/kernel/tainted", "256")?;
    let counted = "kernel_taint_events_total{cause=\"sysctl_write\",flag=\"A\"} 1\n";
    for _ in 0..LOOKS {
        if read()?.contains(counted) {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let served = get()?;
    for text in [read()?, served] {
        for part in [
            set,
            counted,
            "taintwatch_monitored 1\n",
            "taintwatch_coverage_full 1\n",
        ] {
            ensure!(text.contains(part), "no {part:?} in:\n{text}");
        }
    }
    Ok(())
}

/// It ran on the flag of `metrics`, as another user, with the event as its input.
pub(crate) fn commands() -> Result<()> {
    let mut text = String::new();
    for _ in 0..LOOKS {
        text = fs::read_to_string("/tmp/exec-A").unwrap_or_default();
        if text.ends_with("}\n") {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let (user, event) = text.split_once('\n').context("the command did not run")?;
    ensure!(user == "65534", "it ran as {user}");
    let event: Value = serde_json::from_str(event)?;
    ensure!(
        event["taint"]["letter"] == "A" && event["seq"].is_u64(),
        "{event}"
    );
    ensure!(!fs::exists("/tmp/exec-U")?, "it ran on another flag");
    Ok(())
}

/// The last file says so.
pub(crate) fn gone() -> Result<()> {
    let text = read()?;
    ensure!(text.contains("taintwatch_monitored 0\n"), "{text}");
    Ok(())
}

fn read() -> Result<String> {
    fs::read_to_string(FILE).with_context(|| format!("read {FILE}"))
}

fn get() -> Result<String> {
    let mut stream = TcpStream::connect(ADDRESS)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
