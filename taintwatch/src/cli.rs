//! The command line: what can be asked for, with examples of each verb.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{command, store};

/// Record exactly what tainted this kernel, and when
///
/// Exit codes: 0 done, 2 an error. `status`: 0 untainted, 1 tainted, 2 cannot tell. `check`: 0 full cover, 1 less.
#[derive(Debug, Parser)]
#[command(name = "taintwatch", version, max_term_width = 100)]
pub struct Cli {
    /// Where the history is
    #[arg(long, global = true, value_name = "FILE", default_value = store::DEFAULT_PATH)]
    pub db: PathBuf,
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(after_help = STATUS)]
    Status(command::status::Args),
    #[command(after_help = WHY)]
    Why(command::why::Args),
    #[command(after_help = TAIL)]
    Tail(command::tail::Args),
    #[command(after_help = REPORT)]
    Report(command::report::Args),
    #[command(after_help = DECODE)]
    Decode(command::decode::Args),
    #[command(after_help = EXPLAIN)]
    Explain(command::explain::Args),
    #[command(after_help = ANALYZE)]
    Analyze(command::analyze::Args),
    #[command(after_help = CHECK)]
    Check(command::check::Args),
    #[command(after_help = DAEMON)]
    Daemon(command::daemon::Args),
}

const STATUS: &str = "\
Exit codes: 0 untainted, 1 tainted, also where the mask was cleared since; 2 cannot tell, as for any error

Examples:
  taintwatch status           # the mask now, for everyone
  taintwatch status --json    # one object, for scripts";

const WHY: &str = "\
Examples:
  taintwatch why              # each flag that is set
  taintwatch why W,P          # two flags; bits and names will do, too
  taintwatch why 'nvidia*'    # the flags that modules set";

const TAIL: &str = "\
Examples:
  taintwatch tail                          # the last ten events, then live
  taintwatch tail -n 0 --kind mask_write   # only what is to come, of one kind
  taintwatch tail --flag W --json          # one JSON object a line";

const REPORT: &str = "\
Examples:
  taintwatch report                          # this boot
  taintwatch report --boot all --since -7d   # every boot, the last week
  taintwatch report --boot -1 --diff 0       # what differs from the boot before
  taintwatch report --html page.html         # for a browser, all in one file";

const DECODE: &str = "\
Examples:
  taintwatch decode 12801
  taintwatch decode 'G        W  OE' --vendor suse
  dmesg | taintwatch decode -";

const EXPLAIN: &str = "\
Examples:
  taintwatch explain                   # a table of all flags
  taintwatch explain W 12 OOT_MODULE   # by letter, bit and name
  taintwatch explain --vendor rhel9 X  # in a vendor's words";

const ANALYZE: &str = "\
Examples:
  taintwatch analyze dmesg.txt
  taintwatch analyze /var/lib/systemd/pstore sosreport.tar.xz
  journalctl -k -b -1 -o export | taintwatch analyze - --json";

const CHECK: &str = "\
Exit codes: 0 full cover, 1 less, 2 an error

Examples:
  taintwatch check                         # as root: every hook is tried, and taken away again
  taintwatch check --without breakpoint    # what is lost when a debugger has the breakpoints";

const DAEMON: &str = "\
Examples:
  taintwatch daemon                        # as root, until SIGTERM or SIGINT
  taintwatch daemon --without breakpoint   # leaves the debug registers to a debugger";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// A line's words, as a shell takes them apart: a `'` keeps blanks, a `#` ends the line.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(" #").next().unwrap_or_default();
        let mut words = Vec::new();
        for (number, part) in line.split('\'').enumerate() {
            if number % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words
    }

    #[test]
    fn each_verb_has_examples_that_it_takes() {
        for verb in Cli::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let (_, examples) = help.split_once("Examples:\n").unwrap_or_default();
            assert!(examples.lines().count() >= 2, "{}", verb.get_name());
            for line in examples.lines() {
                let words = words(line.rsplit("| ").next().unwrap_or(line));
                assert_eq!(words[1], verb.get_name(), "{line}");
                assert!(Cli::try_parse_from(&words).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn verbs_whose_exit_code_tells_something_say_what() {
        for name in ["status", "check"] {
            let cli = Cli::command();
            let help = cli
                .find_subcommand(name)
                .and_then(clap::Command::get_after_help);
            assert!(
                help.unwrap().to_string().starts_with("Exit codes: 0 "),
                "{name}"
            );
        }
    }

    #[test]
    fn every_word_of_a_list_is_described() {
        let kinds = <crate::event::Kind as clap::ValueEnum>::value_variants().iter();
        let described = |kind: &crate::event::Kind| {
            let value = clap::ValueEnum::to_possible_value(kind)?;
            value.get_help().map(ToString::to_string)
        };
        assert!(kinds.clone().all(|kind| described(kind).is_some()));
    }
}
