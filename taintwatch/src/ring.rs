//! Bytes out of the ring buffer, nothing else.
//!
//! In: the open ring. Out: one record's bytes at a time, in the order in which the eBPF programs reserved them. The
//! reader sleeps until the kernel wakes it.

use std::io;

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

/// The one reader of the ring.
pub struct Ring(AsyncFd<RingBuf<MapData>>);

impl Ring {
    /// Registers the ring for waiting; needs a running tokio runtime.
    pub fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the ring owns its descriptor and never replaces it while it is inside.
        let fd = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
        Ok(Self(fd.map_err(io::Error::from)?))
    }

    /// The next record's bytes; waits for one.
    pub async fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let mut ready = self.0.readable_mut().await?;
            if let Some(item) = ready.get_inner_mut().next() {
                return Ok(item.to_vec());
            }
            ready.clear_ready();
        }
    }

    /// The next record's bytes if there is one now.
    pub fn try_next(&mut self) -> Option<Vec<u8>> {
        self.0.get_mut().next().map(|item| item.to_vec())
    }
}
