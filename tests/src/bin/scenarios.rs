//! The truth, asked in a guest: taints this kernel in each way and checks what taintwatch stored.
//!
//! In: `/modules`, a taintwatch in the path. Out: a line a scenario, `PASS name` or `FAIL name: why`; exit 1
//! when one failed. `scenarios insmod FILE [ARGUMENTS]` loads a module by one `finit_module`, where
//! busybox would try a second load after a failed one. `scenarios journal` holds the history against
//! what the journal says of it.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value gives null where nothing is"
)]

use std::{
    env,
    ffi::CString,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// Emulated processors are slow; nothing here takes half of this.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    let mut words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let name = words.remove(0).rsplit('/').next().unwrap_or_default();
    if name == "insmod" {
        words.insert(0, name);
    }
    let done = match words.as_slice() {
        ["all"] => all(),
        ["journal"] => journal(),
        ["insmod", file, parameters @ ..] => {
            load_file(file, &parameters.join(" ")).map_err(Into::into)
        }
        _ => Err(anyhow::anyhow!(
            "scenarios all | journal | insmod FILE [ARGUMENTS]"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

type Scenario = (&'static str, fn(&mut History) -> Result<()>);

const SCENARIOS: [Scenario; 12] = [
    ("module load", module_load),
    ("proprietary module", proprietary),
    ("WARN in module init", warn_in_init),
    ("WARN from a work item", warn_later),
    ("sysctl write", sysctl_write),
    ("module that fails in init", fail_init),
    ("module with an unresolved symbol", unresolved),
    ("module unload", unload),
    ("kthread, softirq, hardirq, nmi", contexts),
    ("direct set", direct_set),
    ("direct clear", direct_clear),
    ("status and report", status),
];

fn all() -> Result<()> {
    let mut daemon = start_daemon()?;
    let mut history = History { seen: 0 };
    let mut failed = 0;
    for (name, scenario) in SCENARIOS {
        match scenario(&mut history) {
            Ok(()) => println!("PASS {name}"),
            Err(error) => {
                failed += 1;
                println!("FAIL {name}: {error:#}");
            }
        }
        history.catch_up()?;
    }
    stop(&mut daemon)?;
    match ended(&History::all()?) {
        Ok(()) => println!("PASS orderly stop"),
        Err(error) => {
            failed += 1;
            println!("FAIL orderly stop: {error:#}");
        }
    }
    ensure!(failed == 0, "{failed} failed");
    Ok(())
}

fn start_daemon() -> Result<Child> {
    let mut daemon = Command::new("taintwatch")
        .arg("daemon")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = daemon.stdout.take().context("the daemon has no output")?;
    let mut lines = BufReader::new(output).lines();
    // The account of the layers follows the first line; the watch is on by then.
    let first = lines
        .next()
        .context("the daemon ended before it said anything")??;
    println!("{first}");
    for line in lines.by_ref().take(6) {
        println!("{}", line?);
    }
    std::thread::spawn(move || {
        lines.for_each(|line| println!("daemon: {}", line.unwrap_or_default()));
    });
    Ok(daemon)
}

fn stop(daemon: &mut Child) -> Result<()> {
    kill(Pid::from_raw(i32::try_from(daemon.id())?), Signal::SIGTERM)?;
    let status = daemon.wait()?;
    ensure!(status.success(), "the daemon ended with {status}");
    Ok(())
}

/// The history as `taintwatch report` gives it.
struct History {
    seen: u64,
}

impl History {
    fn all() -> Result<Vec<Value>> {
        let output = Command::new("taintwatch")
            .args(["report", "--json"])
            .output()?;
        ensure!(
            output.status.success(),
            "report: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout)?;
        text.lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// Events of this scenario.
    fn new_events(&self) -> Result<Vec<Value>> {
        let seen = self.seen;
        let is_new = |event: &Value| event["seq"].as_u64() > Some(seen);
        Ok(Self::all()?.into_iter().filter(is_new).collect())
    }

    fn catch_up(&mut self) -> Result<()> {
        self.seen = Self::all()?
            .iter()
            .filter_map(|event| event["seq"].as_u64())
            .max()
            .unwrap_or(0);
        Ok(())
    }

    /// Waits for an event with every one of these values, by JSON pointer.
    fn expect(&self, wanted: &[(&str, Value)]) -> Result<Value> {
        let began = Instant::now();
        loop {
            let events = self.new_events()?;
            let fits = |event: &&Value| {
                wanted
                    .iter()
                    .all(|(at, value)| event.pointer(at) == Some(value))
            };
            if let Some(event) = events.iter().find(fits) {
                return Ok(event.clone());
            }
            if began.elapsed() > PATIENCE {
                let told: Vec<_> = events.iter().map(Value::to_string).collect();
                bail!("no event with {wanted:?}; there are:\n{}", told.join("\n"));
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// A taint event by its letter, its class, and the module that it must name, or none.
    fn taint(&self, letter: &str, class: &str, module: Option<&str>) -> Result<Value> {
        let mut wanted = vec![
            ("/kind", "taint".into()),
            ("/taint/letter", letter.into()),
            ("/cause/class", class.into()),
            ("/cause/confidence", "observed".into()),
        ];
        wanted.extend(module.map(|name| ("/module/name", name.into())));
        let event = self.expect(&wanted)?;
        ensure!(
            module.is_some() || event.get("module").is_none(),
            "an innocent module is named: {event}"
        );
        Ok(event)
    }
}

fn load_file(path: &str, parameters: &str) -> Result<(), Errno> {
    let file =
        File::open(path).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    let parameters = CString::new(parameters).map_err(|_nul| Errno::EINVAL)?;
    finit_module(&file, &parameters, ModuleInitFlags::empty())
}

fn load(name: &str, parameters: &str) -> Result<(), Errno> {
    load_file(&format!("/modules/{name}.ko"), parameters)
}

/// The event must blame this very process.
fn is_ours(event: &Value) -> Result<()> {
    ensure!(event["context"] == "task", "context: {event}");
    ensure!(event["task"]["pid"] == std::process::id(), "task: {event}");
    ensure!(event["task"]["comm"] == "scenarios", "comm: {event}");
    ensure!(event["task"]["exe"] == "/usr/bin/scenarios", "exe: {event}");
    Ok(())
}

fn caller_has(event: &Value, part: &str) -> Result<()> {
    let caller = event["caller"].as_str().unwrap_or_default();
    ensure!(
        caller.contains(part),
        "the caller {caller:?} has no {part:?}: {event}"
    );
    Ok(())
}

fn module_load(history: &mut History) -> Result<()> {
    load("tw_gpl", "")?;
    for letter in ["O", "E"] {
        let event = history.taint(letter, "module_load", Some("tw_gpl"))?;
        is_ours(&event)?;
        ensure!(event["taint"]["first"] == true, "first: {event}");
        ensure!(event["module"]["loaded"] != false, "loaded: {event}");
    }
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    ensure!(loaded["module"]["taints"] == "OE", "taints: {loaded}");
    is_ours(&loaded)
}

fn proprietary(history: &mut History) -> Result<()> {
    load("tw_proprietary", "")?;
    is_ours(&history.taint("P", "module_load", Some("tw_proprietary"))?)?;
    // Sticky, but recorded again: the kernel's log names the first module only.
    let again = history.taint("O", "module_load", Some("tw_proprietary"))?;
    ensure!(again["taint"]["first"] == false, "first: {again}");
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_proprietary".into()),
    ])?;
    ensure!(loaded["module"]["version"] == "1.2.3", "version: {loaded}");
    Ok(())
}

fn warn_in_init(history: &mut History) -> Result<()> {
    load("tw_warn_init", "")?;
    let event = history.taint("W", "module_code", Some("tw_warn_init"))?;
    is_ours(&event)?;
    caller_has(&event, "[tw_warn_init]")
}

fn warn_later(history: &mut History) -> Result<()> {
    load("tw_warn_later", "delay_ms=300")?;
    let event = history.taint("W", "module_code", Some("tw_warn_later"))?;
    caller_has(&event, "tw_warn_later_work+")?;
    ensure!(event["context"] == "task", "context: {event}");
    let comm = event["task"]["comm"].as_str().unwrap_or_default();
    ensure!(comm.starts_with("kworker"), "comm: {event}");
    ensure!(event["taint"]["first"] == false, "first: {event}");
    Ok(())
}

fn sysctl_write(history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/tainted", "64")?;
    let event = history.taint("U", "sysctl_write", None)?;
    is_ours(&event)?;
    caller_has(&event, "proc_taint+")?;
    ensure!(event["taint"]["bit"] == 6, "bit: {event}");
    let taints = history.new_events()?;
    ensure!(
        taints
            .iter()
            .filter(|event| event["kind"] == "taint")
            .count()
            == 1,
        "told twice: {taints:?}"
    );
    Ok(())
}

fn fail_init(history: &mut History) -> Result<()> {
    ensure!(
        load("tw_fail_init", "") == Err(Errno::from_raw(57)),
        "it must fail with EBADSLT"
    );
    is_ours(&history.taint("O", "module_load", Some("tw_fail_init"))?)?;
    let failed = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "tw_fail_init".into()),
    ])?;
    ensure!(
        failed["module"]["errno"] == "EBADSLT" && failed["module"]["loaded"] == false,
        "errno: {failed}"
    );
    let unloads = history.new_events()?;
    ensure!(
        unloads.iter().all(|event| event["kind"] != "module_unload"),
        "no unload happened: {unloads:?}"
    );
    is_ours(&failed)
}

fn unresolved(history: &mut History) -> Result<()> {
    ensure!(
        load("tw_unresolved", "") == Err(Errno::ENOENT),
        "it must fail with ENOENT"
    );
    is_ours(&history.taint("O", "module_load", Some("tw_unresolved"))?)?;
    let failed = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "tw_unresolved".into()),
    ])?;
    ensure!(failed["module"]["errno"] == "ENOENT", "errno: {failed}");
    is_ours(&failed)
}

fn unload(history: &mut History) -> Result<()> {
    delete_module(c"tw_gpl", DeleteModuleFlags::empty())?;
    let event = history.expect(&[
        ("/kind", "module_unload".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    is_ours(&event)
}

fn contexts(history: &mut History) -> Result<()> {
    load("tw_taint", "")?;
    history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_taint".into()),
    ])?;
    // Flags that nothing else here sets: each tells its own event.
    for (bit, letter, context) in [
        (10, "C", "kthread"),
        (11, "I", "softirq"),
        (14, "L", "hardirq"),
        (15, "K", "nmi"),
        (19, "X", "task"),
    ] {
        let bit = if letter == "X" { 16 } else { bit };
        fs::write(
            "/sys/module/tw_taint/parameters/fire",
            format!("{bit} {context}"),
        )?;
        let event = history.taint(letter, "module_code", Some("tw_taint"))?;
        caller_has(&event, "[tw_taint]")?;
        let expected = if context == "kthread" {
            "task"
        } else {
            context
        };
        ensure!(event["context"] == expected, "{context}: {event}");
        let blamed = event.get("task").is_some();
        ensure!(
            blamed == (expected == "task"),
            "outside task context nobody is blamed: {event}"
        );
        if context == "kthread" {
            ensure!(event["task"]["comm"] == "tw_kthread", "comm: {event}");
        }
    }
    Ok(())
}

fn mask_address() -> Result<String> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    let line = symbols
        .lines()
        .find(|line| line.ends_with(" tainted_mask"))
        .context("no tainted_mask")?;
    Ok(format!("0x{}", line.split(' ').next().unwrap_or_default()))
}

fn direct_write(history: &History, function: &str) -> Result<Value> {
    let event = history.expect(&[
        ("/kind", "mask_write".into()),
        ("/cause/class", "direct_write".into()),
        ("/cause/confidence", "observed".into()),
        ("/module/name", "tw_mask".into()),
    ])?;
    is_ours(&event)?;
    caller_has(&event, function)?;
    ensure!(
        event["taint"].get("letter").is_none(),
        "no letter is claimed: {event}"
    );
    Ok(event)
}

fn direct_set(history: &mut History) -> Result<()> {
    load("tw_mask", &format!("address={} op=set:18", mask_address()?))?;
    let event = direct_write(history, "tw_mask_set+")?;
    ensure!(
        event["taint"]["bits_set"] == serde_json::json!([18]),
        "bits: {event}"
    );
    ensure!(
        event["taint"]["bits_cleared"] == serde_json::json!([]),
        "bits: {event}"
    );
    Ok(())
}

fn direct_clear(history: &mut History) -> Result<()> {
    let before: u64 = fs::read_to_string("/proc/sys/kernel/tainted")?
        .trim()
        .parse()?;
    fs::write("/sys/module/tw_mask/parameters/op", "zero")?;
    let event = direct_write(history, "tw_mask_store+")?;
    let bits: Vec<_> = (0..64).filter(|bit| before >> bit & 1 == 1).collect();
    ensure!(
        event["taint"]["bits_cleared"] == serde_json::json!(bits),
        "bits: {event}"
    );
    ensure!(event["taint"]["mask_after"] == "0x0", "mask: {event}");
    let status = Command::new("taintwatch").args(["status"]).output()?;
    let text = String::from_utf8(status.stdout)?;
    ensure!(text.contains("tampered with"), "status hides it: {text}");
    Ok(())
}

fn status(_history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/tainted", "64")?;
    let output = Command::new("taintwatch")
        .args(["status", "--json"])
        .output()?;
    ensure!(
        output.status.code() == Some(1),
        "a tainted kernel is exit 1, not {}",
        output.status
    );
    let status: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(
        status["mask"] == "0x40" && status["covered"] == true && status["lost"] == 0,
        "{status}"
    );
    ensure!(
        status["flags"][0]["first"]["cause"]["class"] == "sysctl_write",
        "{status}"
    );
    let report = Command::new("taintwatch")
        .args(["report", "--flag", "W"])
        .output()?;
    let text = String::from_utf8(report.stdout)?;
    ensure!(
        text.contains("tw_warn_init") && text.contains("tw_warn_later"),
        "{text}"
    );
    Ok(())
}

/// The history ends with the end of the watch, and its sequence has no hole.
fn ended(events: &[Value]) -> Result<()> {
    for (number, event) in (1..).zip(events) {
        ensure!(
            event["seq"] == number,
            "event {number} has another sequence: {event}"
        );
    }
    let last = events.last().context("the history is empty")?;
    ensure!(
        last["coverage"]["state"] == "ended",
        "the last event: {last}"
    );
    ensure!(
        events.iter().all(|event| event["kind"] != "lost"),
        "records were lost"
    );
    Ok(())
}

/// Each event of the history is in the journal, field by field.
fn journal() -> Result<()> {
    let history = History::all()?;
    let output = Command::new("journalctl")
        .args(["-o", "json", "--all", "SYSLOG_IDENTIFIER=taintwatch"])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let entries: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let fields = [
        ("TAINT_FLAG", "/taint/letter"),
        ("TAINT_NAME", "/taint/name"),
        ("TAINT_MODULE", "/module/name"),
        ("TAINT_CAUSE", "/cause/class"),
        ("TAINT_CONFIDENCE", "/cause/confidence"),
        ("TAINT_MASK_BEFORE", "/taint/mask_before"),
        ("TAINT_MASK_AFTER", "/taint/mask_after"),
        ("OBJECT_PID", "/task/pid"),
    ];
    for event in &history {
        let entry = entries
            .iter()
            .find(|entry| entry["TAINTWATCH_EVENT_ID"] == event["id"]);
        let entry = entry.with_context(|| format!("not in the journal: {event}"))?;
        for (field, pointer) in fields {
            let expected = event
                .pointer(pointer)
                .map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
            let found = entry.get(field).and_then(Value::as_str).map(str::to_owned);
            ensure!(
                found == expected,
                "{field}: {found:?} and not {expected:?} for {event}"
            );
        }
        let id = entry["MESSAGE_ID"].as_str().unwrap_or_default();
        ensure!(
            id.len() == 32 && entry["PRIORITY"].is_string(),
            "no MESSAGE_ID or PRIORITY: {entry}"
        );
    }
    ensure!(history.len() > 20, "only {} events", history.len());
    println!("PASS journal: {} events, field by field", history.len());
    Ok(())
}
