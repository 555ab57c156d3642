//! Bytes out of the ring buffer, nothing else.
//!
//! In: the ring's map. Out: one record's bytes at a time, in the order in which the eBPF programs reserved them. The
//! reader sleeps until the kernel wakes it. Not aya's reader, which gives a record back to the kernel as soon as it was
//! read: here the last ones stay, so that a daemon that takes over after a crash reads them again.
//!
//! The layout is that of `kernel/bpf/ringbuf.c` (5.8 to 7.3): a page with the consumer's position, one with the
//! producer's, then the data, mapped twice in a row so that no record is cut. A record is a header of eight bytes, whose
//! first four are its length with two flags, and its bytes, up to a multiple of eight. Positions only grow.

mod kept;

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use aya::maps::MapData;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use tokio::io::{Interest, unix::AsyncFd};

use kept::Kept;

/// Flags in a header: the record is being written; it was given up.
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
const HEADER: u64 = 8;

/// The one reader of the ring.
pub struct Ring {
    fd: AsyncFd<OwnedFd>,
    consumer: Mapping,
    /// The producer's page, and the data behind it.
    producer: Mapping,
    page: usize,
    size: u64,
    /// Up to where this reader has come.
    read: u64,
    kept: Kept,
}

impl Ring {
    /// Registers the ring for waiting; needs a running tokio runtime. `size`: bytes of data, a power of two. It begins with
    /// what the last reader did not give back.
    pub fn new(map: impl AsFd, size: u32) -> io::Result<Self> {
        let fd = map.as_fd().try_clone_to_owned()?;
        let page = usize::try_from(procfs::page_size()).map_err(io::Error::other)?;
        let data = usize::try_from(size).map_err(io::Error::other)?;
        let writable = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let consumer = Mapping::new(&fd, 0, page, writable)?;
        let producer = Mapping::new(&fd, page, page + 2 * data, ProtFlags::PROT_READ)?;
        let read = position(&consumer).load(Ordering::Acquire);
        // SAFETY: the descriptor is owned, and never replaced while it is inside.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        Ok(Self {
            fd: fd.map_err(io::Error::from)?,
            consumer,
            producer,
            page,
            size: u64::from(size),
            read,
            kept: Kept::from(read),
        })
    }

    /// The next record's bytes; waits for one.
    pub async fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(bytes) = self.try_next() {
                return Ok(bytes);
            }
            let mut ready = self.fd.readable().await?;
            // What is written from here on makes it ready again.
            ready.clear_ready();
            drop(ready);
            if let Some(bytes) = self.try_next() {
                return Ok(bytes);
            }
        }
    }

    /// The next record's bytes if there is one now.
    pub fn try_next(&mut self) -> Option<Vec<u8>> {
        while self.read < position(&self.producer).load(Ordering::Acquire) {
            let header = self.header();
            if header & BUSY != 0 {
                return None;
            }
            let len = header & !DISCARDED;
            if u64::from(len) + HEADER > self.size {
                // Only a kernel that writes rings in another way can do that.
                log::error!("the ring buffer has a record of {len} bytes, and no room for it");
                self.read = position(&self.producer).load(Ordering::Acquire);
                return None;
            }
            let bytes = (header & DISCARDED == 0).then(|| self.bytes(len));
            self.read += (HEADER + u64::from(len)).next_multiple_of(8);
            if bytes.is_some() {
                self.kept.read_to(self.read);
                return bytes;
            }
        }
        None
    }

    /// The first `records` of those that were read and not settled are needed no more: what is old among them goes back to
    /// the kernel.
    pub fn settle(&mut self, records: usize) {
        if let Some(to) = self.kept.settle(records) {
            position(&self.consumer).store(to, Ordering::Release);
        }
    }

    /// Bytes that were read and are not settled.
    #[must_use]
    pub const fn unsettled(&self) -> u64 {
        self.kept.unsettled()
    }

    /// The first word of the record at the reader's position.
    fn header(&self) -> u32 {
        let at = self.data_at(self.read);
        // SAFETY: a position is a multiple of eight below twice the data's size, so the word is mapped and aligned; the
        // kernel changes it atomically.
        let word = unsafe { AtomicU32::from_ptr(at.cast().as_ptr()) };
        word.load(Ordering::Acquire)
    }

    /// The bytes of the record at the reader's position.
    fn bytes(&self, len: u32) -> Vec<u8> {
        let at = self.data_at(self.read + HEADER);
        let len = usize::try_from(len).unwrap_or(0);
        // SAFETY: the record is written and not given back: no one changes it. It is mapped in one piece, since the data is
        // mapped twice.
        unsafe { std::slice::from_raw_parts(at.as_ptr(), len) }.to_vec()
    }

    fn data_at(&self, position: u64) -> NonNull<u8> {
        let offset = usize::try_from(position & (self.size - 1)).unwrap_or(0);
        // SAFETY: the offset is below the data's size, and the data is mapped behind the producer's page.
        unsafe { self.producer.start.add(self.page + offset) }
    }
}

/// Bytes in a ring that no reader has given back, less the records that a reader keeps; 0 where they cannot be read.
#[must_use]
pub fn unread(map: &MapData) -> u64 {
    let read = || -> io::Result<u64> {
        let fd = map.fd().as_fd().try_clone_to_owned()?;
        let page = usize::try_from(procfs::page_size()).map_err(io::Error::other)?;
        let consumer = Mapping::new(&fd, 0, page, ProtFlags::PROT_READ)?;
        let producer = Mapping::new(&fd, page, page, ProtFlags::PROT_READ)?;
        let read = position(&consumer).load(Ordering::Acquire);
        Ok(position(&producer)
            .load(Ordering::Acquire)
            .saturating_sub(read))
    };
    read().unwrap_or(0)
}

/// The position that a page begins with.
fn position(page: &Mapping) -> &AtomicU64 {
    // SAFETY: the mapping begins with an aligned word of eight bytes, and lives as long as the reference.
    unsafe { AtomicU64::from_ptr(page.start.cast().as_ptr()) }
}

/// Memory that is shared with the kernel, until it is dropped.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to no thread, and is read and written atomically or not at all.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(fd: &OwnedFd, offset: usize, len: usize, access: ProtFlags) -> io::Result<Self> {
        let length = len.try_into().map_err(io::Error::other)?;
        let offset = i64::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: the kernel chooses an address that is free.
        let start = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, fd, offset) }?;
        Ok(Self {
            start: start.cast(),
            len,
        })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and nothing refers to it any more.
        if let Err(error) = unsafe { munmap(self.start.cast(), self.len) } {
            log::debug!("munmap: {error}");
        }
    }
}
