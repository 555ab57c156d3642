//! The text of each link of a chain.
//!
//! In: parts of an event. Out: part of a sentence, unescaped; none where nothing is known.

use crate::{
    event::{Ancestor, Event, Module, RequestedBy, Task},
    taint::callers,
};

pub(super) fn device(by: &RequestedBy) -> Option<String> {
    let devices = by.devices.join(" or ");
    (!devices.is_empty()).then(|| {
        format!(
            "{devices} announced itself as {:?}, and udev looked for its driver",
            by.alias
        )
    })
}

pub(super) fn asked(by: &RequestedBy) -> Option<String> {
    if !by.devices.is_empty() {
        return None;
    }
    let who = by.task.as_ref().map_or_else(
        || "an unknown task".to_owned(),
        |task| called(&task.comm, task),
    );
    Some(format!(
        "{who} needed {:?}, and the kernel started modprobe for it",
        by.alias
    ))
}

pub(super) fn file(module: &Module) -> Option<String> {
    let path = module.path_and_namespace();
    let path = match (module.source.as_deref(), path, &module.candidate) {
        (Some("memory"), _, None) => "from memory, without a file".to_owned(),
        (Some("memory"), _, Some(guess)) => {
            format!("from memory, without a file; a file of that name is {guess}")
        }
        (_, Some(path), _) => path,
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

pub(super) fn identity(module: &Module) -> Option<String> {
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
        text += ", not in the kernel's list of modules";
    }
    if let Some(attempt) = module.attempt {
        text = format!("{text}; attempt {attempt} of the task to load it");
    }
    if let Some(errno) = &module.errno {
        text = format!("{text}; the load failed with {errno}");
    }
    Some(text)
}

pub(super) fn task(task: &Task) -> String {
    let command = if task.cmdline.is_empty() {
        task.comm.clone()
    } else {
        task.cmdline.join(" ")
    };
    let mut text = called(&command, task);
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

/// The uid is absent where a log named the task.
fn called(name: &str, task: &Task) -> String {
    let uid = task.uid.map(|uid| format!(", uid {uid}"));
    format!("{name} (pid {}{})", task.pid, uid.unwrap_or_default())
}

pub(super) fn code(caller: &str, event: &Event) -> String {
    let function = caller.split('+').next().unwrap_or_default();
    let bit = event.bit();
    let known = bit.and_then(|bit| callers::known(function, bit));
    known.map_or_else(
        || caller.to_owned(),
        |known| format!("{caller} ({})", known.source),
    )
}

pub(super) fn log(event: &Event) -> Option<String> {
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

    #[test]
    fn a_path_of_a_container_is_not_shown_as_one_outside() {
        let module = Module {
            path: Some("/m.ko".to_owned()),
            mount_namespace: Some(7),
            ..Module::default()
        };
        let shown = file(&module);
        assert_eq!(shown.as_deref(), Some("/m.ko in the mount namespace 7"));
    }

    #[test]
    fn the_uid_of_a_task_is_shown_where_it_is_known() {
        let mut named = Task {
            pid: 7,
            comm: "sh".to_owned(),
            ..Task::default()
        };
        assert_eq!(task(&named), "sh (pid 7)");
        named.uid = Some(0);
        assert_eq!(task(&named), "sh (pid 7, uid 0)");
    }

    #[test]
    fn a_module_from_memory_has_no_file_but_a_guess() {
        let mut module = Module {
            source: Some("memory".to_owned()),
            ..Module::default()
        };
        let shown = |module: &Module| file(module).unwrap();
        assert_eq!(shown(&module), "from memory, without a file");
        module.candidate = Some("/m.ko".to_owned());
        let guess = "from memory, without a file; a file of that name is /m.ko";
        assert_eq!(shown(&module), guess);
        assert_eq!(file(&Module::default()), None);
    }

    #[test]
    fn a_file_is_shown_with_its_hash_and_what_became_of_it() {
        let mut module = Module {
            path: Some("/m.ko".to_owned()),
            sha256: Some("ab".to_owned()),
            file_state: Some("as loaded".to_owned()),
            ..Module::default()
        };
        assert_eq!(file(&module).as_deref(), Some("/m.ko, sha256 ab"));
        module.file_state = Some("deleted since".to_owned());
        let shown = file(&module);
        assert_eq!(shown.as_deref(), Some("/m.ko, sha256 ab (deleted since)"));
    }

    #[test]
    fn a_module_is_shown_with_all_that_is_known_of_it() {
        let mut module = Module {
            name: Some("m".to_owned()),
            version: Some("1".to_owned()),
            license: Some("GPL".to_owned()),
            ..Module::default()
        };
        assert_eq!(
            identity(&module).as_deref(),
            Some("m, version 1, licence GPL")
        );
        module.signature = Some("none".to_owned());
        module.hidden = Some(true);
        module.attempt = Some(2);
        module.errno = Some("ENOENT".to_owned());
        assert_eq!(
            identity(&module).as_deref(),
            Some(
                "m, version 1, licence GPL, not signed, not in the kernel's list of modules; \
                 attempt 2 of the task to load it; the load failed with ENOENT"
            )
        );
        module.signature = Some("appended".to_owned());
        module.hidden = Some(false);
        let shown = identity(&module).unwrap();
        assert!(
            shown.starts_with("m, version 1, licence GPL; attempt 2"),
            "{shown}"
        );
    }

    #[test]
    fn a_request_is_shown_with_who_needed_it_unless_a_device_did() {
        let mut by = RequestedBy {
            alias: "net-pf-5".to_owned(),
            task: None,
            devices: Vec::new(),
        };
        let unknown = "an unknown task needed \"net-pf-5\", and the kernel started modprobe for it";
        assert_eq!(asked(&by).as_deref(), Some(unknown));
        by.task = Some(Task {
            pid: 7,
            comm: "sh".to_owned(),
            ..Task::default()
        });
        let known = "sh (pid 7) needed \"net-pf-5\", and the kernel started modprobe for it";
        assert_eq!(asked(&by).as_deref(), Some(known));
        assert_eq!(device(&by), None);
        by.devices = vec!["/devices/a".to_owned(), "/devices/b".to_owned()];
        assert_eq!(asked(&by), None);
        let announced = "/devices/a or /devices/b announced itself as \"net-pf-5\", and udev looked for its driver";
        assert_eq!(device(&by).as_deref(), Some(announced));
    }

    #[test]
    fn a_place_that_is_known_and_lines_of_the_log_are_shown_shortly() {
        let mut event: Event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": "2026-01-01T00:00:00Z", "taint": {"bit": 5},
        }))
        .unwrap();
        assert_eq!(
            code("bad_page+0x1", &event),
            "bad_page+0x1 (mm/page_alloc.c)"
        );
        assert_eq!(code("f+0x1", &event), "f+0x1");
        assert_eq!(log(&event), None);
        event.log = vec!["a".to_owned()];
        assert_eq!(log(&event).as_deref(), Some("a"));
        event.log.push("b".to_owned());
        assert_eq!(log(&event).as_deref(), Some("a (2 lines)"));
    }
}
