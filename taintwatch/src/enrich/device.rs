//! Which device a module is for, when udev loads it.
//!
//! In: devices that announced themselves lately, and the aliases that a module's file lists. Out: the devices whose
//! alias fits, matched as udev does it. A module that is loaded as a dependency of another fits none, and then no
//! device is named.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    event::{RequestedBy, Task},
    glob,
    kernel::uevent::{Announced, Uevents},
};

/// Announcements kept: those of a whole boot.
const KEPT: usize = 4096;
/// From an announcement to the load that it causes.
const LATELY: Duration = Duration::from_mins(1);

/// Devices that announced themselves, by the kernel's uevents.
#[derive(Debug, Default)]
pub struct Devices {
    uevents: Option<Uevents>,
    announced: VecDeque<(Instant, Announced)>,
}

impl Devices {
    /// Listens from now on; without the socket no device is named.
    #[must_use]
    pub fn listen() -> Self {
        let uevents = Uevents::open();
        if let Err(error) = &uevents {
            log::warn!(
                "events do not name the devices that modules are loaded for: open the kernel's uevents: {error}"
            );
        }
        Self {
            uevents: uevents.ok(),
            announced: VecDeque::new(),
        }
    }

    /// Takes what was announced since.
    pub fn catch_up(&mut self) {
        let now = Instant::now();
        while let Some(announced) = self.uevents.as_mut().and_then(Uevents::receive) {
            self.announced.push_back((now, announced));
            if self.announced.len() > KEPT {
                self.announced.pop_front();
            }
        }
    }

    /// The devices that a module with these aliases was loaded for, if udev loaded it.
    pub fn asked_for(&mut self, loader: &Task, aliases: &[String]) -> Option<RequestedBy> {
        if !is_udev(loader) {
            return None;
        }
        self.catch_up();
        let fitting = self.announced.iter().rev().filter(|(at, announced)| {
            at.elapsed() < LATELY
                && aliases
                    .iter()
                    .any(|alias| glob::matches(alias, &announced.alias))
        });
        let mut found: Vec<_> = fitting.map(|(_, announced)| announced).collect();
        found.dedup();
        let latest = found.first()?;
        Some(RequestedBy {
            alias: latest.alias.clone(),
            task: None,
            devices: found.iter().map(|it| it.device.clone()).collect(),
        })
    }
}

/// A worker of udev; it renames itself where it can (systemd 252 and later).
fn is_udev(task: &Task) -> bool {
    let names = ["(udev-worker)", "systemd-udevd"];
    let runs = |exe: &str| exe.ends_with("/udevadm") || exe.ends_with("/systemd-udevd");
    names.contains(&task.comm.as_str()) && task.exe.as_deref().is_none_or(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices() -> Devices {
        let announced = |device: &str, alias: &str| {
            let (device, alias) = (device.to_owned(), alias.to_owned());
            (Instant::now(), Announced { device, alias })
        };
        Devices {
            uevents: None,
            announced: VecDeque::from([
                announced("/devices/a", "platform:x"),
                announced("/devices/b", "usb:v0421p0433d0302dc00"),
                announced("/devices/c", "platform:x"),
            ]),
        }
    }

    fn worker(comm: &str) -> Task {
        Task {
            comm: comm.to_owned(),
            ..Task::default()
        }
    }

    #[test]
    fn every_device_that_fits_is_named() {
        let found = devices().asked_for(&worker("(udev-worker)"), &["platform:x".into()]);
        assert_eq!(found.unwrap().devices, ["/devices/c", "/devices/a"]);
        let glob = "usb:v0421p0433d030[0-4]dc*".to_owned();
        let found = devices().asked_for(&worker("systemd-udevd"), &[glob]);
        assert_eq!(found.unwrap().devices, ["/devices/b"]);
    }

    #[test]
    fn no_device_is_named_without_a_fit() {
        let alias = ["platform:x".to_owned()];
        assert_eq!(devices().asked_for(&worker("modprobe"), &alias), None);
        let dependency = ["pci:v*".to_owned()];
        assert_eq!(
            devices().asked_for(&worker("(udev-worker)"), &dependency),
            None
        );
        let mut liar = worker("(udev-worker)");
        liar.exe = Some("/tmp/liar".into());
        assert_eq!(devices().asked_for(&liar, &alias), None);
    }
}
