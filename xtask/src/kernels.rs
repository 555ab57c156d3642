//! The kernels that guests boot: the newest package of each series in the Debian suites.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{apt, cache, progress::step};

/// The series: the one table to change.
const SERIES: [Series; 6] = [
    Series {
        name: "5.10",
        headers: true,
        flavour: CLOUD,
    },
    Series {
        name: "6.1",
        headers: true,
        flavour: CLOUD,
    },
    Series {
        name: "6.12",
        headers: true,
        flavour: CLOUD,
    },
    Series {
        name: "6.12-rt",
        headers: true,
        flavour: "rt",
    },
    // The suites carry this series' images without header packages.
    Series {
        name: "6.18",
        headers: false,
        flavour: CLOUD,
    },
    Series {
        name: "7.3",
        headers: true,
        flavour: CLOUD,
    },
];

/// The flavour without drivers of real machines: its packages are small.
const CLOUD: &str = "cloud";

struct Series {
    /// The kernel's version; the flavour behind it where it is not the usual one.
    name: &'static str,
    headers: bool,
    /// As Debian names it: `cloud`, `rt`.
    flavour: &'static str,
}

impl Series {
    fn version(&self) -> &'static str {
        self.name.split('-').next().unwrap_or(self.name)
    }
}

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) series: String,
    /// What `uname -r` says in the guest: `6.1.0-56-cloud-amd64`.
    pub(crate) release: String,
    pub(crate) image: PathBuf,
    /// `lib/modules/RELEASE` of its package.
    pub(crate) modules: PathBuf,
    pub(crate) has_headers: bool,
    flavour: &'static str,
    version: &'static str,
}

/// The names of all series, oldest first.
pub(crate) fn series() -> impl Iterator<Item = &'static str> {
    SERIES.iter().map(|series| series.name)
}

/// Resolves a series; fetches its kernel when it is not in the cache.
pub(crate) fn get(name: &str) -> Result<Kernel> {
    let Some(series) = SERIES.iter().find(|series| series.name == name) else {
        let known: Vec<_> = SERIES.iter().map(|series| series.name).collect();
        bail!("no kernel series {name}: there are {}", known.join(", "));
    };
    let _lock = cache::lock("kernels")?;
    let resolved = cache::once(&format!("kernels/{name}.release"), |path| {
        step(&format!("look up the newest {name} kernel"), || {
            let release = newest(series, &apt::names()?).with_context(|| {
                format!("the Debian suites have no kernel of the series {name}")
            })?;
            Ok(fs::write(path, release)?)
        })
    })?;
    let release = fs::read_to_string(resolved)?;
    let root = cache::once(&format!("kernels/{release}"), |path| {
        step(&format!("fetch the kernel {release}"), || {
            apt::unpack(&packages(&release)?, path)
        })
    })?;
    let folders = [
        root.join("usr/lib/modules").join(&release),
        root.join("lib/modules").join(&release),
    ];
    let modules = folders.into_iter().find(|path| path.is_dir());
    let modules = modules
        .with_context(|| format!("{release}: no folder of modules in {}", root.display()))?;
    let images = [
        root.join(format!("boot/vmlinuz-{release}")),
        modules.join("vmlinuz"),
    ];
    let image = images.into_iter().find(|path| path.is_file());
    Ok(Kernel {
        series: name.to_owned(),
        image: image.with_context(|| format!("{release}: no vmlinuz in {}", root.display()))?,
        release,
        modules,
        has_headers: series.headers,
        flavour: series.flavour,
        version: series.version(),
    })
}

/// The newest release of a series: one with headers, where the series has them.
fn newest(series: &Series, names: &[String]) -> Option<String> {
    let prefix = if series.headers {
        "linux-headers-"
    } else {
        "linux-image-"
    };
    let begin = format!("{}.", series.version());
    let end = format!("-{}-amd64", series.flavour);
    names
        .iter()
        .filter_map(|name| name.strip_prefix(prefix))
        .filter(|release| release.starts_with(&begin) && release.ends_with(&end))
        .max_by_key(|release| numbers(release))
        .map(str::to_owned)
}

/// `6.1.0-56-cloud-amd64` as numbers, so that 56 comes after 9.
fn numbers(release: &str) -> Vec<u64> {
    release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// The packages of a kernel: one, or since 7.x one for the image and one for the modules.
fn packages(release: &str) -> Result<Vec<String>> {
    let names = apt::names()?;
    let has = |name: &String| names.contains(name);
    let split = [
        format!("linux-binary-{release}"),
        format!("linux-modules-{release}"),
    ];
    if split.iter().all(has) {
        return Ok(split.into());
    }
    let whole = [
        format!("linux-image-{release}"),
        format!("linux-image-{release}-unsigned"),
    ];
    let found = whole.into_iter().find(has);
    Ok(vec![found.with_context(|| {
        format!("the suites have no image package of {release}")
    })?])
}

/// Headers, their common part and kbuild, unpacked apart.
pub(crate) fn headers(kernel: &Kernel) -> Result<PathBuf> {
    let release = &kernel.release;
    if !kernel.has_headers {
        bail!(
            "the suites have no header packages of {}: modules cannot be built for it",
            kernel.series
        );
    }
    let upstream = release.trim_end_matches(&format!("-{}-amd64", kernel.flavour));
    // Headers of the cloud flavour are the usual ones; those of PREEMPT_RT are their own.
    let common = match kernel.flavour {
        CLOUD => "common".to_owned(),
        other => format!("common-{other}"),
    };
    let kbuild = if release.contains('+') {
        upstream
    } else {
        kernel.version
    };
    let packages = [
        format!("linux-headers-{release}"),
        format!("linux-headers-{upstream}-{common}"),
        format!("linux-kbuild-{kbuild}"),
    ];
    let _lock = cache::lock("headers")?;
    cache::once(&format!("headers/{release}"), |path: &Path| {
        step(&format!("fetch the headers of {release}"), || {
            apt::unpack(&packages, path)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_by_number_and_of_the_series_and_flavour_alone() {
        let names: Vec<_> = [
            "6.1.0-9-cloud",
            "6.1.0-56-cloud",
            "6.1.0-57-rt",
            "6.12.0-60-cloud",
        ]
        .map(|release| format!("linux-headers-{release}-amd64"))
        .into_iter()
        .chain(["linux-headers-6.1.0-70-common".to_owned()])
        .collect();
        let newest_of = |name, flavour| {
            let series = Series {
                name,
                headers: true,
                flavour,
            };
            newest(&series, &names)
        };
        let cloud = newest_of("6.1", CLOUD);
        assert_eq!(cloud.as_deref(), Some("6.1.0-56-cloud-amd64"));
        let realtime = newest_of("6.1-rt", "rt");
        assert_eq!(realtime.as_deref(), Some("6.1.0-57-rt-amd64"));
        assert_eq!(newest_of("9.9", CLOUD), None);
    }
}
