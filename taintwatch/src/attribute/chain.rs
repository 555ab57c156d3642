//! From who asked to the line of code: each link of a flag's cause, with what it rests on.
//!
//! In: an event, and the other events of its boot. Out: links, in words to paste. Pure.

use serde::Serialize;

use crate::{
    event::{Ancestor, Class, Confidence, Event, Kind, Module, RequestedBy, Task},
    taint::callers,
};

/// A link of the chain.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// `device`, `asked`, `task`, `file`, `module`, `code`, `flag`, `log`.
    pub kind: &'static str,
    pub text: String,
    /// What it rests on.
    pub evidence: &'static str,
}

/// What the links of an event rest on.
struct Grounds {
    task: &'static str,
    file: &'static str,
    module: &'static str,
    code: &'static str,
    flag: &'static str,
}

/// Seen by the hooks.
const OBSERVED: Grounds = Grounds {
    task: "the kernel's own record of the running task",
    file: "the file that the kernel opened",
    module: "the module that the code belongs to",
    code: "the stack, resolved when it happened",
    flag: "the layers named in `sources`",
};
/// Read afterwards, in what the kernel printed.
const LOGGED: Grounds = Grounds {
    task: "the kernel log, which names the running task",
    file: "the kernel log",
    module: "the kernel log, which names it",
    code: "the kernel log, which names the place",
    flag: "the kernel log",
};
/// Found later, on a list.
const LISTED: Grounds = Grounds {
    module: "the kernel's list of modules, which has the flag beside it",
    flag: "the kernel's list of modules",
    ..LOGGED
};
const UNATTRIBUTED: Grounds = Grounds {
    flag: "the bit in the mask, and nothing else",
    ..LOGGED
};

impl Grounds {
    fn of(event: &Event) -> &'static Self {
        match event.cause.as_ref().map(|cause| cause.confidence) {
            None | Some(Confidence::Observed) => &OBSERVED,
            Some(Confidence::Logged) => &LOGGED,
            Some(Confidence::Listed) => &LISTED,
            Some(Confidence::Unattributed) => &UNATTRIBUTED,
        }
    }
}

/// The links, from who asked to the flag; what is not known is left out.
#[must_use]
pub fn chain(event: &Event) -> Vec<Link> {
    let module = event.module.as_ref();
    let by = event.requested_by.as_ref();
    let cause = event.cause.as_ref();
    let grounds = Grounds::of(event);
    let observed_load = cause.is_some_and(|cause| {
        cause.class == Class::ModuleLoad && cause.confidence == Confidence::Observed
    });
    let by_loader = "the loader, which had it in hand";
    let links = [
        (
            "device",
            by.and_then(device),
            "the kernel's uevents and the module's own list of aliases",
        ),
        ("asked", by.and_then(asked), "the tracepoint module_request"),
        ("task", event.task.as_ref().map(task), grounds.task),
        ("file", module.and_then(file), grounds.file),
        (
            "module",
            module.and_then(identity),
            if observed_load {
                by_loader
            } else {
                grounds.module
            },
        ),
        (
            "code",
            event.caller.as_ref().map(|caller| code(caller, event)),
            grounds.code,
        ),
        (
            "flag",
            cause.map(|cause| cause.summary.clone()),
            grounds.flag,
        ),
        ("log", log(event), "the kernel log"),
    ];
    let known = links
        .into_iter()
        .filter_map(|(kind, text, evidence)| Some((kind, text?, evidence)));
    known
        .map(|(kind, text, evidence)| Link {
            kind,
            text,
            evidence,
        })
        .collect()
}

/// A flag of a load, with what the end of the same load tells: the file was read then, and the device found.
#[must_use]
pub fn with_load(event: &Event, events: &[Event]) -> Event {
    let mut event = event.clone();
    let of_load = event
        .cause
        .as_ref()
        .is_some_and(|cause| cause.class == Class::ModuleLoad);
    // The first end of a load by this thread is the end of this load.
    let end = events.iter().find(|end| is_end(end, &event));
    let Some(end) = end.filter(|end| of_load && name(end) == name(&event)) else {
        return event;
    };
    event.module.clone_from(&end.module);
    event.requested_by = event.requested_by.or_else(|| end.requested_by.clone());
    if end.kind == Kind::ModuleLoadFailed {
        event.log.extend(end.log.iter().cloned());
    }
    event
}

fn is_end(end: &Event, of: &Event) -> bool {
    let thread = |event: &Event| event.task.as_ref().map(|task| task.tid);
    matches!(end.kind, Kind::ModuleLoad | Kind::ModuleLoadFailed)
        && end.boottime_ns >= of.boottime_ns
        && thread(end).is_some()
        && thread(end) == thread(of)
}

fn name(event: &Event) -> Option<&str> {
    event.module.as_ref()?.name.as_deref()
}

fn device(by: &RequestedBy) -> Option<String> {
    let devices = by.devices.join(" or ");
    (!devices.is_empty()).then(|| {
        format!(
            "{devices} announced itself as {:?}, and udev looked for its driver",
            by.alias
        )
    })
}

fn asked(by: &RequestedBy) -> Option<String> {
    if !by.devices.is_empty() {
        return None;
    }
    let who = by.task.as_ref().map_or_else(
        || "something".to_owned(),
        |task| {
            format!(
                "{} (pid {}, uid {})",
                task.comm,
                task.pid,
                task.uid.unwrap_or(0)
            )
        },
    );
    Some(format!(
        "{who} needed {:?}, and the kernel started modprobe for it",
        by.alias
    ))
}

fn file(module: &Module) -> Option<String> {
    let path = match (module.source.as_deref(), &module.path, &module.candidate) {
        (Some("memory"), _, None) => "from memory, without a file".to_owned(),
        (Some("memory"), _, Some(guess)) => {
            format!("from memory, without a file; by its name alone it may be {guess}")
        }
        (_, Some(path), _) => path.clone(),
        _ => return None,
    };
    let hash = module
        .sha256
        .as_ref()
        .map(|hash| format!(", sha256 {hash}"));
    let state = module
        .file_state
        .as_ref()
        .filter(|state| *state != "as loaded");
    let state = state.map(|state| format!(" ({state})"));
    Some(format!(
        "{path}{}{}",
        hash.unwrap_or_default(),
        state.unwrap_or_default()
    ))
}

fn identity(module: &Module) -> Option<String> {
    let mut text = module.name.clone()?;
    for (what, value) in [
        ("version", &module.version),
        ("licence", &module.license),
        ("signed by", &module.signer),
        ("build id", &module.build_id),
    ] {
        if let Some(value) = value {
            text = format!("{text}, {what} {value}");
        }
    }
    if module.signature.as_deref() == Some("none") {
        text += ", not signed";
    }
    if module.hidden == Some(true) {
        text += ", in no list of modules";
    }
    if let Some(errno) = &module.errno {
        text = format!("{text}; the load failed with {errno}");
    }
    Some(text)
}

fn task(task: &Task) -> String {
    let command = if task.cmdline.is_empty() {
        task.comm.clone()
    } else {
        task.cmdline.join(" ")
    };
    let mut text = format!(
        "{command} (pid {}, uid {})",
        task.pid,
        task.uid.unwrap_or(0)
    );
    if let Some(auid) = task.auid {
        text = format!("{text}, logged in as uid {auid}");
    }
    if let Some(unit) = &task.unit {
        text = format!("{text}, unit {unit}");
    }
    if let Some(container) = &task.container {
        text = format!("{text}, container {container}");
    }
    let above = |it: &Ancestor| format!("{} ({})", it.comm, it.pid);
    let above: Vec<_> = task.ancestors.iter().map(above).collect();
    if above.is_empty() {
        text
    } else {
        format!("{text}, started by {}", above.join(" < "))
    }
}

fn code(caller: &str, event: &Event) -> String {
    let function = caller.split('+').next().unwrap_or_default();
    let bit = event.taint.as_ref().and_then(|taint| taint.bit);
    let known = bit.and_then(|bit| callers::known(function, bit));
    known.map_or_else(
        || caller.to_owned(),
        |known| format!("{caller} ({})", known.source),
    )
}

fn log(event: &Event) -> Option<String> {
    let first = event.log.first()?;
    let more = match event.log.len() {
        1 => String::new(),
        lines => format!(" ({lines} lines)"),
    };
    Some(format!("{first}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, ns: u64, more: &serde_json::Value) -> Event {
        let mut event = serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": kind, "time": "2026-01-01T00:00:00Z", "boottime_ns": ns,
            "task": {"pid": 7, "tid": 7, "comm": "insmod", "cmdline": ["insmod", "m.ko"], "ancestors": [{"pid": 1, "comm": "init"}]},
        });
        let more = more.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(more);
        serde_json::from_value(event).unwrap()
    }

    fn flag() -> Event {
        event(
            "taint",
            1,
            &serde_json::json!({
                "taint": {"bit": 0, "count": 1}, "caller": "load_module+0x1",
                "module": {"name": "m", "path": "/m.ko", "source": "file"},
                "cause": {"class": "module_load", "summary": "s", "confidence": "observed", "sources": []},
            }),
        )
    }

    #[test]
    fn the_chain_goes_from_the_task_to_the_flag() {
        let links = chain(&flag());
        let kinds: Vec<_> = links.iter().map(|link| link.kind).collect();
        assert_eq!(kinds, ["task", "file", "module", "code", "flag"]);
        assert!(links[0].text.contains("started by init (1)"));
    }

    #[test]
    fn what_was_read_is_not_told_as_seen() {
        let mut event = flag();
        event.cause.as_mut().unwrap().confidence = Confidence::Listed;
        let links = chain(&event);
        assert!(
            links.iter().all(|link| !link.evidence.contains("in hand")),
            "{links:?}"
        );
        let module = links.iter().find(|link| link.kind == "module").unwrap();
        assert!(module.evidence.contains("list of modules"), "{module:?}");
    }

    #[test]
    fn the_end_of_the_same_load_tells_more_of_it() {
        let end = |ns, module: &str| {
            event(
                "module_load",
                ns,
                &serde_json::json!({
                    "module": {"name": module, "license": "XPL"},
                    "requested_by": {"alias": "platform:x", "devices": ["/devices/x"]},
                }),
            )
        };
        let told = with_load(&flag(), &[end(0, "m"), end(2, "m")]);
        assert_eq!(
            told.module.as_ref().unwrap().license.as_deref(),
            Some("XPL")
        );
        assert_eq!(chain(&told)[0].kind, "device");
        assert_eq!(
            with_load(&flag(), &[end(2, "other"), end(3, "m")]),
            flag(),
            "a later load of the thread"
        );
        assert_eq!(
            with_load(&flag(), &[end(0, "m")]),
            flag(),
            "an earlier load"
        );
    }
}
