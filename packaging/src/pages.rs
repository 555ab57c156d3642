//! Manual pages.
//!
//! In: the command line, the keys of the configuration. Out: a page for the program, one a verb, one for the
//! configuration, in roff. No page has a date: the version says how old it is.

use anyhow::Result;
use clap::{Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use taintwatch::{
    cli::Cli,
    config::{self, keys},
};

use crate::VERSION;

/// Names with their section, and texts.
pub(crate) fn all() -> Result<Vec<(String, Vec<u8>)>> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let mut pages = Vec::new();
    add("taintwatch", &cli, &mut pages)?;
    pages.push(("taintwatch.toml.5".to_owned(), configuration()?));
    Ok(pages)
}

/// The page of a command and those of the commands below it.
fn add(name: &str, command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        add(&format!("{name}-{}", below.get_name()), below, pages)?;
    }
    let mut page = Vec::new();
    Man::new(command.clone())
        .title(name)
        .date("")
        .source(format!("taintwatch {VERSION}"))
        .manual("taintwatch")
        .render(&mut page)?;
    pages.push((format!("{name}.1"), page));
    Ok(())
}

fn configuration() -> Result<Vec<u8>> {
    let mut page = Roff::new();
    let source = format!("taintwatch {VERSION}");
    page.control(
        "TH",
        ["taintwatch.toml", "5", "", source.as_str(), "taintwatch"],
    );
    page.control("SH", ["NAME"]);
    page.text([roman(
        "taintwatch.toml - the configuration of the taintwatch daemon",
    )]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(config::DEFAULT_PATH)]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(format!(
        "A TOML file. Without it, and for each key that it does not set, the defaults hold. A key that does not exist \
         and a value of the wrong kind are errors, with which the daemon does not start. `taintwatch config check` \
         shows them. A running daemon takes over {} on SIGHUP.",
        config::AT_RUN_TIME.join(" and ")
    ))]);
    let mut table = String::new();
    for key in keys() {
        if key.table != table {
            let heading = format!("[{}]", key.table);
            page.control("SH", [heading.as_str()]);
            table.clone_from(&key.table);
        }
        page.control("TP", []);
        page.text([bold(key.name), roman(format!(" = {}", key.default))]);
        page.text([roman(key.about)]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("taintwatch-daemon"),
        roman("(1), "),
        bold("taintwatch-config"),
        roman("(1)"),
    ]);
    let mut out = Vec::new();
    page.to_writer(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_and_every_key_has_its_place() {
        let pages = all().unwrap();
        let text = |name: &str| {
            let page = pages.iter().find(|(page, _)| page == name);
            String::from_utf8(page.unwrap_or_else(|| panic!("no {name}")).1.clone()).unwrap()
        };
        for verb in Cli::command().get_subcommands() {
            let page = text(&format!("taintwatch-{}.1", verb.get_name()));
            assert!(page.contains(".SH SYNOPSIS"), "{page}");
        }
        assert!(text("taintwatch-config-check.1").contains("FILE"));
        let configuration = text("taintwatch.toml.5");
        for key in keys() {
            assert!(configuration.contains(&key.name), "{configuration}");
        }
        assert!(configuration.contains(".SH [history]") || configuration.contains("[history]"));
    }
}
