//! The package of distributions with rpm.
//!
//! In: files. Out: an .rpm without a signature: who publishes it signs it.

use anyhow::{Context as _, Result};
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

use crate::{
    DESCRIPTION, LICENCE, SUMMARY, VERSION,
    contents::{File, Kind},
};

/// Folders that belong to this package alone.
const OWN_FOLDERS: [&str; 3] = [
    "/etc/taintwatch",
    "/usr/share/doc/taintwatch",
    "/usr/share/licenses/taintwatch",
];
/// What is the same folder of Debian's zsh.
const ZSH: (&str, &str) = (
    "usr/share/zsh/vendor-completions/",
    "usr/share/zsh/site-functions/",
);

pub(crate) fn make(files: &[File], date: u32) -> Result<Vec<u8>> {
    let config = BuildConfig::default()
        .source_date(date)
        .compression(CompressionType::Xz);
    let mut package = PackageBuilder::new("taintwatch", VERSION, LICENCE, "x86_64", SUMMARY);
    package
        .using_config(config)
        .release("1")
        .description(DESCRIPTION)
        .build_host("localhost")
        .requires(Dependency::any("systemd"))
        .post_install_script(include_str!("../rpm/post"))
        .pre_uninstall_script(include_str!("../rpm/preun"))
        .post_uninstall_script(include_str!("../rpm/postun"));
    for folder in OWN_FOLDERS {
        package.with_dir_entry(FileOptions::dir(folder).permissions(0o755))?;
    }
    for file in files {
        let path = format!("/{}", file.path.replacen(ZSH.0, ZSH.1, 1));
        let mode = u16::try_from(file.mode).context("a mode has 16 bits")?;
        let options = FileOptions::new(path).permissions(mode);
        let options = match file.kind {
            Kind::Plain => options,
            Kind::Configuration => options.config().noreplace(),
            Kind::Documentation => options.doc(),
            Kind::Licence => options.license(),
        };
        package.with_file_contents(file.bytes.clone(), options)?;
    }
    let mut out = Vec::new();
    package.build()?.write(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents;

    #[test]
    fn it_is_read_back_and_two_are_the_same() {
        let files = contents::files(b"program".to_vec()).unwrap();
        let package = make(&files, 1_700_000_000).unwrap();
        assert_eq!(package, make(&files, 1_700_000_000).unwrap());
        let read = ::rpm::Package::parse(&mut package.as_slice()).unwrap();
        let entries = read.metadata.get_file_entries().unwrap();
        let paths: Vec<_> = entries
            .iter()
            .map(|entry| entry.path().display().to_string())
            .collect();
        for wanted in [
            "/usr/bin/taintwatch",
            "/etc/taintwatch/taintwatch.toml",
            "/usr/share/zsh/site-functions/_taintwatch",
        ] {
            assert!(paths.iter().any(|path| path == wanted), "{paths:?}");
        }
        assert_eq!(read.metadata.get_version().unwrap(), VERSION);
    }
}
