//! Packages of the Debian suites that guests come from, by apt under a configuration of our own.
//!
//! In: the machine's own apt sources, for the mirror and the keys. Out: package files whose signatures
//! apt has checked. The machine's own package state is left alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{cache, run};

/// Suites and whether they lie on the security mirror.
const SUITES: [(&str, bool); 7] = [
    ("bullseye", false),
    ("bullseye-security", true),
    ("bookworm", false),
    ("bookworm-security", true),
    ("trixie", false),
    ("trixie-security", true),
    ("trixie-backports", false),
];
/// An index older than this is fetched anew before something is looked up.
const FRESH: Duration = Duration::from_hours(24);

/// The machine's Debian mirror, its security mirror, and the keys that sign them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) main: String,
    security: String,
    keyring: Option<String>,
}

/// Reads the machine's apt sources.
pub(crate) fn mirror() -> Result<Mirror> {
    let folder = fs::read_dir("/etc/apt/sources.list.d").map(|entries| {
        entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .collect::<Vec<_>>()
    });
    let mut text = String::new();
    for path in folder
        .unwrap_or_default()
        .into_iter()
        .chain([PathBuf::from("/etc/apt/sources.list")])
    {
        if path
            .extension()
            .is_some_and(|kind| kind == "sources" || kind == "list")
        {
            text += &fs::read_to_string(&path).unwrap_or_default();
            text += "\n\n";
        }
    }
    parse(&text).context("no Debian mirror in /etc/apt: the guests' kernels are Debian packages")
}

/// The first Debian and the first security mirror of deb822 stanzas and one-line sources.
fn parse(text: &str) -> Option<Mirror> {
    let mut uris = Vec::new();
    let mut keyring = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("URIs:") {
            uris.extend(rest.split_whitespace().map(str::to_owned));
        } else if let Some(rest) = line.strip_prefix("Signed-By:") {
            keyring = keyring
                .or_else(|| Some(rest.trim().to_owned()).filter(|path| path.starts_with('/')));
        } else if line.starts_with("deb ") {
            uris.extend(
                line.split_whitespace()
                    .find(|word| word.contains("://"))
                    .map(str::to_owned),
            );
        }
    }
    let trimmed = |uri: &String| uri.trim_end_matches('/').to_owned();
    let main = uris
        .iter()
        .map(trimmed)
        .find(|uri| uri.ends_with("/debian"))?;
    let security = uris
        .iter()
        .map(trimmed)
        .find(|uri| uri.ends_with("debian-security"));
    Some(Mirror {
        security: security.unwrap_or_else(|| format!("{main}-security")),
        main,
        keyring,
    })
}

/// An apt configuration with every suite, in the cache.
fn configuration() -> Result<PathBuf> {
    let root = cache::dir()?.join("apt");
    for folder in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let Mirror {
        main,
        security,
        keyring,
    } = mirror()?;
    let signed = keyring.map_or_else(String::new, |path| format!(" [signed-by={path}]"));
    let line = |(suite, is_security): &(&str, bool)| {
        format!(
            "deb{signed} {} {suite} main",
            if *is_security { &security } else { &main }
        )
    };
    let sources = SUITES.iter().map(line).collect::<Vec<_>>().join("\n") + "\n";
    fs::write(root.join("sources.list"), sources)?;
    fs::write(root.join("status"), "")?;
    let root_text = root.display();
    let configuration = format!(
        "Dir::State::lists \"{root_text}/lists\";\nDir::State::status \"{root_text}/status\";\n\
         Dir::Cache \"{root_text}\";\nDir::Etc::sourcelist \"{root_text}/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
         Acquire::Languages \"none\";\nAcquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled \"false\";\n\
         APT::Sandbox::User \"root\";\nAPT::Update::Post-Invoke-Success {{}};\nAPT::Architectures {{ \"amd64\"; }};\n"
    );
    let path = root.join("apt.conf");
    fs::write(&path, configuration)?;
    Ok(path)
}

/// The names of all packages, from an index that is at most a day old where the mirror can be reached.
pub(crate) fn names() -> Result<Vec<String>> {
    let _lock = cache::lock("apt")?;
    let configuration = configuration()?;
    let stamp = configuration.with_file_name("updated");
    let age = fs::metadata(&stamp)
        .and_then(|data| data.modified())
        .ok()
        .and_then(|time| time.elapsed().ok());
    if age.is_none_or(|age| age > FRESH) {
        run::quiet(apt("apt-get", &configuration).args(["-q", "update"]))?;
        fs::write(&stamp, "")?;
    }
    let names = run::quiet(apt("apt-cache", &configuration).args(["pkgnames", "linux-"]))?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// Downloads a package (`name` or `name=version`, `*` allowed) into `folder` and gives its file.
pub(crate) fn download(package: &str, folder: &Path) -> Result<PathBuf> {
    names()?;
    let _lock = cache::lock("apt")?;
    let configuration = configuration()?;
    let place = folder.join(package.replace(['=', '*', '/'], "_"));
    fs::create_dir_all(&place)?;
    run::quiet(
        apt("apt-get", &configuration)
            .args(["-q", "download", package])
            .current_dir(&place),
    )?;
    let files: Vec<_> = fs::read_dir(&place)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    match files.as_slice() {
        [file] => Ok(file.clone()),
        _ => bail!(
            "apt-get download {package} left {} files in {}",
            files.len(),
            place.display()
        ),
    }
}

/// Downloads packages and unpacks them over each other into `into`.
pub(crate) fn unpack(packages: &[String], into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    let folder = into.with_extension("debs");
    for package in packages {
        let file = download(package, &folder)?;
        run::quiet(Command::new("dpkg-deb").arg("-x").arg(file).arg(into))?;
    }
    fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))
}

fn apt(program: &str, configuration: &Path) -> Command {
    let mut command = Command::new(program);
    // APT_CONFIG is read before /etc/apt/apt.conf.d, -c after it: ours has the last word.
    command.arg("-c").arg(configuration);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_sources() {
        let deb822 = "Types: deb\nURIs: http://m.test/debian/\nSigned-By: /k.gpg\n\nURIs: http://m.test/debian-security\n";
        let expected = Mirror {
            main: "http://m.test/debian".into(),
            security: "http://m.test/debian-security".into(),
            keyring: Some("/k.gpg".into()),
        };
        assert_eq!(parse(deb822), Some(expected));
        let line = parse("# x\ndeb [arch=amd64] https://m.test/debian bookworm main\n").unwrap();
        assert_eq!(
            (line.main.as_str(), line.keyring),
            ("https://m.test/debian", None)
        );
        assert_eq!(parse("deb https://m.test/ubuntu noble main\n"), None);
    }
}
