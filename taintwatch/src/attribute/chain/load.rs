//! A flag that a load set, with what the event at the end of the same load adds.
//!
//! In: an event, and the other events of its boot. Out: the same event with the module's file, device and log lines.

use crate::event::{Class, Event, Kind};

/// The event of a flag with what the end of the load adds: the module's flags, why it failed; in older histories also
/// its file and device.
#[must_use]
pub fn with_load(event: &Event, events: &[Event]) -> Event {
    let mut event = event.clone();
    let of_load = event
        .cause
        .as_ref()
        .is_some_and(|cause| cause.class == Class::ModuleLoad);
    // The first end of a load by this thread is the end of this load.
    let end = events.iter().find(|end| is_end(end, &event));
    let Some(end) = end.filter(|end| of_load && end.module_name() == event.module_name()) else {
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
    // Thread ids are used again.
    let thread = |event: &Event| {
        let task = event.task.as_ref()?;
        Some((task.tid, task.start_boottime_ns))
    };
    matches!(end.kind, Kind::ModuleLoad | Kind::ModuleLoadFailed)
        && end.boottime_ns >= of.boottime_ns
        && thread(end).is_some()
        && thread(end) == thread(of)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            chain,
            tests::{event, flag},
        },
        *,
    };

    #[test]
    fn the_end_of_the_same_load_adds_to_its_flags() {
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
        let found = with_load(&flag(), &[end(0, "m"), end(2, "m")]);
        assert_eq!(
            found.module.as_ref().unwrap().license.as_deref(),
            Some("XPL")
        );
        assert_eq!(chain(&found)[0].kind, "device");
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

    #[test]
    fn what_the_log_says_of_a_failed_load_is_of_its_flags_too() {
        let end = |kind: &str| {
            let more = serde_json::json!({"module": {"name": "m"}, "log": ["m: why it failed"]});
            event(kind, 2, &more)
        };
        let lines = |kind| with_load(&flag(), &[end(kind)]).log;
        assert_eq!(lines("module_load_failed"), ["m: why it failed"]);
        assert_eq!(lines("module_load"), [""; 0]);
    }
}
