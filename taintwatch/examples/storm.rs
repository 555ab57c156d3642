//! Makes a history of so many events of a storm, for measurements: a boot with repeats of so many causes.
//!
//! `cargo run --release --example storm -- events.db 1000000 100 [one]`; with `one` a commit an event.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, Result};
use taintwatch::{
    event::{Event, Time},
    store::{Store, Write},
};

const TEMPLATE: &str = include_str!("../tests/fixtures/three-boots.jsonl");
const AT_ONCE: u64 = 1000;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let db = args
        .next()
        .context("give the file of the history to make")?;
    let events: u64 = args.next().context("give the number of events")?.parse()?;
    let causes: u64 = args.next().context("give the number of causes")?.parse()?;
    let at_once = if args.next().is_some() { 1 } else { AT_ONCE };
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let templates: Vec<Event> = TEMPLATE
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let (began, repeat) = (
        templates.first().context("began")?,
        templates.get(7).context("repeat")?,
    );
    let mut store = Store::create(Path::new(&db))?;
    let mut waiting = Vec::new();
    let began_at = Instant::now();
    for number in 0..events {
        let of = if number == 0 { began } else { repeat };
        waiting.push(Write::event(event(
            of,
            number,
            number % causes.max(1),
            boot.trim(),
        )?));
        if waiting.len() as u64 >= at_once || number + 1 == events {
            store.write(waiting.iter_mut())?;
            waiting.clear();
        }
    }
    let each = began_at.elapsed() / u32::try_from(events.max(1))?;
    println!("{events} events, {each:?} each");
    Ok(())
}

/// The event of this number, by the cause of this one.
fn event(of: &Event, number: u64, cause: u64, boot: &str) -> Result<Event> {
    let mut event = of.clone();
    let at = number * 20_000_017;
    event.boot_id = Some(boot.to_owned());
    event.id = format!("{}-{at:x}-taint-9-{number}", boot.replace('-', ""));
    event.boottime_ns = Some(at);
    let since = jiff::SignedDuration::from_nanos(i64::try_from(at)?);
    event.time = Time(of.time.0.checked_add(since)?);
    if let (Some(module), Some(caller), Some(task)) =
        (&mut event.module, &mut event.caller, &mut event.task)
    {
        let name = format!("module_{cause:x}");
        *caller = format!("function_{cause:x}+0x1c4 [{name}]");
        if let Some(frame) = event.stack.get_mut(4) {
            frame.clone_from(caller);
        }
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) & 0xffff;
        task.pid = 1000 + u32::try_from(hash)?;
        task.tid = task.pid;
        let known =
            |word: &str| format!("{:016x}{word}", cause.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        module.sha256 = Some(known("0c52f8c9d1f20d88a1d3a0b4c7715e214be1a7700c52f8c9"));
        module.name = Some(name);
        if let Some(cause) = &mut event.cause {
            cause.summary = format!(
                "the kernel issued a warning in code of the module {}, at {caller}",
                known("")
            );
        }
    }
    Ok(event)
}
