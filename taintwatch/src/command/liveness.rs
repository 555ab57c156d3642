//! Whether the daemon runs, and when it last did.
//!
//! In: the history, its lock and this machine's clocks. Out: liveness, from which the coverage of each boot is worked out.

use std::{collections::HashSet, path::Path};

use crate::{
    coverage::{Now, Stamp},
    event::Event,
    history::Liveness,
    kernel::identity::{Identity, boottime_ns, wall_clock},
    store::{Error, Store, lock},
};

pub(super) fn read(store: &Store, events: &[Event], db: &Path) -> Result<Liveness, Error> {
    let mut liveness = Liveness::default();
    let boots: HashSet<_> = events
        .iter()
        .filter_map(|event| event.boot_id.as_ref())
        .collect();
    for boot in boots {
        if let Some((time, boottime_ns)) = store.last_heartbeat(boot)? {
            let stamp = Stamp {
                time,
                boottime_ns: Some(boottime_ns),
            };
            liveness.heartbeats.insert(boot.clone(), stamp);
        }
    }
    if let Ok(identity) = Identity::read() {
        let now = Now {
            until: now(),
            running: lock::is_held(db),
            monitored: None,
        };
        liveness.current = Some((identity.boot_id, now));
    }
    Ok(liveness)
}

pub(super) fn now() -> Stamp {
    let now = boottime_ns();
    Stamp {
        time: wall_clock(now),
        boottime_ns: Some(now),
    }
}
