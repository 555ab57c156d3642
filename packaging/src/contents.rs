//! What every package installs.
//!
//! In: the binary, files of the repository, the command line and the keys of the configuration. Out: files by their
//! path on the machine.

use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, GzBuilder};

use crate::{completions, pages};

/// What a package manager must know of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// It stays as the administrator left it.
    Configuration,
    Documentation,
    /// The text of a licence: each kind of package has a place of its own for it.
    Licence,
}

/// One file; it belongs to root.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Without the leading slash.
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

/// Where the daemon reads its configuration.
pub(crate) const CONFIGURATION: &str = "etc/taintwatch/taintwatch.toml";
/// What `journalctl -x` shows.
const CATALOG: &str = "usr/lib/systemd/catalog/taintwatch.catalog";
/// Where licences lie in the list below.
pub(crate) const LICENCES: &str = "usr/share/licenses/taintwatch/";
const DOCUMENTS: &str = "usr/share/doc/taintwatch/";

/// Everything, in the order of paths.
pub(crate) fn files(binary: Vec<u8>) -> Result<Vec<File>> {
    let mut files = vec![file("usr/bin/taintwatch", 0o755, Kind::Plain, binary)];
    let configuration = taintwatch::config::template().into_bytes();
    files.push(file(
        CONFIGURATION,
        0o644,
        Kind::Configuration,
        configuration,
    ));
    for (path, text) in [
        (
            "usr/lib/systemd/system/taintwatch.service",
            include_str!("../systemd/taintwatch.service"),
        ),
        (
            "usr/lib/systemd/system/taintwatch-attach.service",
            include_str!("../systemd/taintwatch-attach.service"),
        ),
        (
            "usr/lib/sysusers.d/taintwatch.conf",
            include_str!("../systemd/sysusers.conf"),
        ),
        (
            "usr/lib/tmpfiles.d/taintwatch.conf",
            include_str!("../systemd/tmpfiles.conf"),
        ),
        (
            "usr/share/taintwatch/taintwatch.rules.yml",
            include_str!("../prometheus/taintwatch.rules.yml"),
        ),
        (
            "usr/share/taintwatch/grafana.json",
            include_str!("../grafana/taintwatch.json"),
        ),
    ] {
        files.push(file(path, 0o644, Kind::Plain, text.into()));
    }
    for (path, text) in [
        (
            "usr/share/initramfs-tools/hooks/taintwatch",
            include_str!("../initramfs-tools/hook"),
        ),
        (
            "usr/share/initramfs-tools/scripts/init-top/taintwatch",
            include_str!("../initramfs-tools/init-top"),
        ),
        (
            "usr/lib/dracut/modules.d/90taintwatch/module-setup.sh",
            include_str!("../dracut/module-setup.sh"),
        ),
        (
            "usr/lib/dracut/modules.d/90taintwatch/attach.sh",
            include_str!("../dracut/attach.sh"),
        ),
    ] {
        files.push(file(path, 0o755, Kind::Plain, text.into()));
    }
    files.push(file(
        CATALOG,
        0o644,
        Kind::Plain,
        taintwatch::output::catalog::text().into_bytes(),
    ));
    for (name, text) in [
        ("README.md", include_str!("../../README.md")),
        ("CHANGELOG.md", include_str!("../../CHANGELOG.md")),
        ("SECURITY.md", include_str!("../../SECURITY.md")),
        ("events.md", include_str!("../../docs/events.md")),
        (
            "event.schema.json",
            include_str!("../../docs/event.schema.json"),
        ),
        ("exec.conf", include_str!("../systemd/exec.conf")),
        ("metrics.conf", include_str!("../systemd/metrics.conf")),
        ("ci.md", include_str!("../../docs/ci.md")),
        ("metrics.md", include_str!("../../docs/metrics.md")),
    ] {
        let path = format!("{DOCUMENTS}{name}");
        files.push(file(&path, 0o644, Kind::Documentation, text.into()));
    }
    for (name, text) in [
        ("LICENSE-APACHE", include_str!("../../LICENSE-APACHE")),
        ("LICENSE-GPL-2.0", include_str!("../../LICENSE-GPL-2.0")),
        ("LICENSE-MIT", include_str!("../../LICENSE-MIT")),
    ] {
        let path = format!("{LICENCES}{name}");
        files.push(file(&path, 0o644, Kind::Licence, text.into()));
    }
    for (name, text) in pages::all()? {
        let section = name.rsplit('.').next().unwrap_or_default();
        let path = format!("usr/share/man/man{section}/{name}.gz");
        files.push(file(&path, 0o644, Kind::Documentation, packed(&text)?));
    }
    for (path, text) in completions::all() {
        files.push(file(path, 0o644, Kind::Plain, text));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn file(path: &str, mode: u32, kind: Kind, bytes: Vec<u8>) -> File {
    File {
        path: path.to_owned(),
        mode,
        kind,
        bytes,
    }
}

/// Without a name and a time, which would differ from one build to the next.
pub(crate) fn packed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    out.write_all(bytes)?;
    Ok(out.finish()?)
}

/// The folders above files, those above before those below.
pub(crate) fn folders<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut folders: Vec<_> = paths
        .flat_map(|path| {
            path.match_indices('/')
                .map(|(at, _)| path.split_at(at).0.to_owned())
        })
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_there_once_and_holds_something() {
        let files = files(b"x".to_vec()).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        let mut sorted = paths.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(paths, sorted);
        assert!(
            files
                .iter()
                .all(|file| !file.bytes.is_empty() && !file.path.starts_with('/'))
        );
        for path in [
            "usr/share/man/man1/taintwatch.1.gz",
            "usr/share/man/man1/taintwatch-why.1.gz",
            "usr/share/man/man5/taintwatch.toml.5.gz",
        ] {
            assert!(paths.contains(&path), "{path}");
        }
        let executable = files.iter().filter(|file| file.mode & 0o111 != 0);
        assert_eq!(
            executable.count(),
            5,
            "the program, and the hooks of initial file systems"
        );
    }

    /// As the package's scripts do it, below another root.
    #[test]
    fn the_catalog_is_one_that_journalctl_takes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CATALOG);
        let files = files(b"x".to_vec()).unwrap();
        let catalog = files.iter().find(|file| file.path == CATALOG).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &catalog.bytes).unwrap();
        let journalctl = |words: &[&str]| {
            let root = format!("--root={}", folder.path().display());
            let mut command = std::process::Command::new("journalctl");
            command.arg(root).args(words).output().unwrap()
        };
        let made = journalctl(&["--update-catalog"]);
        assert!(made.status.success() && made.stderr.is_empty(), "{made:?}");
        for kind in taintwatch::event::Kind::ALL {
            let id = taintwatch::output::journald::message_id(kind);
            let shown = journalctl(&["--dump-catalog", id]);
            let shown = String::from_utf8(shown.stdout).unwrap();
            assert!(
                shown.contains("Support: ") && shown.contains("Remedy: "),
                "{kind}: {shown}"
            );
        }
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let folders = folders(["a/b/c", "a/d"].into_iter());
        assert_eq!(folders, ["a", "a/b"]);
    }
}
