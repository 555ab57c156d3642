//! Uevents of devices, from the kernel over netlink.
//!
//! In: datagrams `ACTION@DEVPATH`, then `KEY=value`, a NUL behind each (`lib/kobject_uevent.c`, 2.6.10 to 7.3).
//! Out: a device's path and the alias by which it asks for a driver. Datagrams of other senders than the kernel are left
//! out: a process with the capability can send to the group.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt,
    socket, sockopt,
};

/// The group that the kernel sends to; udev sends to another.
const KERNEL_GROUP: u32 = 1;
/// `UEVENT_BUFFER_SIZE` is 2048, and a header stands before it.
const DATAGRAM: usize = 8192;
/// A whole boot announces some thousand devices at once.
const BACKLOG: usize = 1 << 20;

/// A device that asks for a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Below `/sys`: `/devices/pci0000:00/…`.
    pub device: String,
    /// `MODALIAS`: `platform:x`, `pci:v00008086d…`.
    pub alias: String,
}

/// The open socket.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

impl Uevents {
    /// Opens it; every user may, in the first network namespace.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        // A smaller buffer loses more of a flood, and is no reason to go without.
        if setsockopt(&socket, sockopt::RcvBufForce, &BACKLOG).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &BACKLOG)?;
        }
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self(socket))
    }

    /// The next device that asks, without waiting; what was lost to a flood is left out.
    pub fn receive(&mut self) -> Option<Announced> {
        self.next(parse)
    }

    /// Takes all that came; whether a CPU went offline or came online.
    pub fn take_cpus(&mut self) -> bool {
        let mut is_one = false;
        while self
            .next(|datagram| is_of_cpu(datagram).then_some(()))
            .is_some()
        {
            is_one = true;
        }
        is_one
    }

    fn next<T>(&mut self, parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let mut datagram = [0; DATAGRAM];
        loop {
            match recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), &mut datagram) {
                Ok((len, sender)) => {
                    let is_kernel = sender.is_some_and(|sender| sender.pid() == 0);
                    let received = datagram.get(..len).unwrap_or_default();
                    if let Some(found) = parse(received).filter(|_| is_kernel) {
                        return Some(found);
                    }
                }
                Err(nix::errno::Errno::EINTR | nix::errno::Errno::ENOBUFS) => {}
                Err(_empty) => return None,
            }
        }
    }
}

impl AsRawFd for Uevents {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// `online@/devices/system/cpu/cpu1`, or `offline@…` (`device_online`, `drivers/base/core.c`).
#[must_use]
pub fn is_of_cpu(datagram: &[u8]) -> bool {
    ["online@", "offline@"]
        .iter()
        .filter_map(|action| datagram.strip_prefix(action.as_bytes()))
        .any(|device| device.starts_with(b"/devices/system/cpu/cpu"))
}

/// A device that was added, or announced again (`change`, `bind`); `None` for other datagrams.
#[must_use]
pub fn parse(datagram: &[u8]) -> Option<Announced> {
    let text = std::str::from_utf8(datagram).ok()?;
    let mut fields = text.split('\0');
    let (action, device) = fields.next()?.split_once('@')?;
    let alias = fields.find_map(|field| field.strip_prefix("MODALIAS="))?;
    matches!(action, "add" | "change" | "bind").then(|| Announced {
        device: device.to_owned(),
        alias: alias.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_a_datagram_apart() {
        let datagram = b"add@/devices/platform/x.0\0ACTION=add\0DEVPATH=/devices/platform/x.0\0MODALIAS=platform:x\0SEQNUM=7\0";
        let expected = Announced {
            device: "/devices/platform/x.0".into(),
            alias: "platform:x".into(),
        };
        assert_eq!(parse(datagram), Some(expected));
        assert_eq!(parse(b"remove@/devices/x\0MODALIAS=platform:x\0"), None);
        assert_eq!(parse(b"add@/devices/x\0SUBSYSTEM=net\0"), None);
        assert_eq!(parse(b"libudev\0\xfe\xed"), None);
    }

    #[test]
    fn a_cpu_that_comes_or_goes_is_told_from_other_devices() {
        for (datagram, is_cpu) in [
            ("online@/devices/system/cpu/cpu1\0ACTION=online\0", true),
            ("offline@/devices/system/cpu/cpu12\0", true),
            ("online@/devices/system/memory/memory3\0", false),
            ("add@/devices/system/cpu/cpu1\0", false),
            ("online@", false),
            ("", false),
        ] {
            assert_eq!(is_of_cpu(datagram.as_bytes()), is_cpu, "{datagram:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) { _ = parse(&bytes); }
    }
}
