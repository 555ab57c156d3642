//! The kernel half's own lines, for the developer's eye: only in builds with the feature `bpf-log`.
//!
//! In: the loaded object. Out: lines of this program's log at the level `info` (`RUST_LOG=info`).

use std::time::Duration;

use aya::Ebpf;
use aya_log::EbpfLogger;

/// Soon enough for an eye.
const PACE: Duration = Duration::from_millis(100);

/// Passes lines on while the runtime lives. A build without any line in it is told, and is no error.
pub(super) fn follow(ebpf: &mut Ebpf) {
    let mut logger = match EbpfLogger::init(ebpf) {
        Ok(logger) => logger,
        Err(error) => return log::warn!("the kernel half's log: {error}"),
    };
    tokio::spawn(async move {
        loop {
            logger.flush();
            tokio::time::sleep(PACE).await;
        }
    });
}
