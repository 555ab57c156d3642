//! Whether the daemon runs, and when it last did.
//!
//! In: the history, its lock, the daemon's socket, this machine's clocks. Out: liveness, from which the coverage of each
//! boot is worked out. Only root may look at the lock; for the group that may read the history, the socket answers, and
//! the last heartbeat where the history is not the daemon's usual one.

use std::{collections::HashSet, io, os::unix::net::UnixStream, path::Path, time::Duration};

use crate::{
    coverage::{Now, Stamp},
    event::Event,
    history::Liveness,
    kernel::identity::{Identity, boottime_ns, wall_clock},
    socket,
    store::{DEFAULT_PATH, Error, Store, lock},
};

/// A heartbeat is written each minute, and one may be late.
const RECENT: Duration = Duration::from_secs(130);

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
        let heartbeat = liveness.heartbeats.get(&identity.boot_id).copied();
        let until = now();
        let running = lock::is_held(db)
            .or_else(|| listens(db))
            .unwrap_or_else(|| is_recent(heartbeat, until));
        let now = Now {
            until,
            running,
            monitored: None,
        };
        liveness.current = Some((identity.boot_id, now));
    }
    Ok(liveness)
}

/// Whether the daemon of the usual history listens; `None` where that cannot be seen.
fn listens(db: &Path) -> Option<bool> {
    if db != Path::new(DEFAULT_PATH) {
        return None;
    }
    match UnixStream::connect(socket::DEFAULT_PATH) {
        Ok(_) => Some(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Some(false),
        Err(_unknown) => None,
    }
}

fn is_recent(heartbeat: Option<Stamp>, now: Stamp) -> bool {
    let age = heartbeat.and_then(|last| now.boottime_ns?.checked_sub(last.boottime_ns?));
    age.is_some_and(|age| Duration::from_nanos(age) < RECENT)
}

pub(super) fn now() -> Stamp {
    let now = boottime_ns();
    Stamp {
        time: wall_clock(now),
        boottime_ns: Some(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_a_sign_for_two_minutes() {
        let at = |second: u64| Stamp {
            time: now().time,
            boottime_ns: Some(second * 1_000_000_000),
        };
        assert!(is_recent(Some(at(100)), at(229)));
        assert!(!is_recent(Some(at(100)), at(231)));
        assert!(!is_recent(None, at(1)));
        assert!(!is_recent(Some(at(2)), at(1)), "of another boot");
    }
}
