//! Lines that the eBPF programs log for developers: only in builds with the feature `bpf-log`.
//!
//! In: the loaded object. Out: lines of this program's log at the level `info` (`RUST_LOG=info`).

use std::time::Duration;

use aya::Ebpf;
use aya_log::EbpfLogger;

/// Soon enough for a reader.
const PACE: Duration = Duration::from_millis(100);

/// Passes lines on while the runtime lives. A build that logs no line is reported, and is no error.
pub(super) fn follow(ebpf: &mut Ebpf) {
    let mut logger = match EbpfLogger::init(ebpf) {
        Ok(logger) => logger,
        Err(error) => return log::warn!("the log of the eBPF programs: {error}"),
    };
    tokio::spawn(async move {
        loop {
            logger.flush();
            tokio::time::sleep(PACE).await;
        }
    });
}
