//! The command line: the verbs and their arguments, with examples of each.

use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};

use crate::{command, config, verdict};

/// Record exactly what tainted this kernel, and when
///
/// Exit codes: 0 done, 2 an error. `status`: 0 untainted, 1 tainted, 2 cannot tell. `check`: 0 full coverage, 1 less. `run`:
/// that of its command, 99 tainted, 125 an error.
#[derive(Debug, Parser)]
#[command(name = "taintwatch", version, max_term_width = 100)]
pub struct Cli {
    #[arg(long, value_name = "FILE", help = DB)]
    db: Option<PathBuf>,
    #[command(subcommand)]
    pub verb: Verb,
}

/// The arguments of a verb that reads or writes the history.
#[derive(Debug, clap::Args)]
pub struct WithHistory<A: clap::Args> {
    #[command(flatten)]
    pub own: A,
    #[arg(id = "own_db", long = "db", value_name = "FILE", help = DB)]
    db: Option<PathBuf>,
}

/// With the path of `store::DEFAULT_PATH`.
const DB: &str = "Where the history is, for the verbs that use it [default: that of the configuration, or \
    /var/lib/taintwatch/events.db]";

impl Cli {
    /// The arguments of this process; ends it where they are wrong.
    #[must_use]
    pub fn parse_or_exit() -> Self {
        let cli = Self::try_parse().unwrap_or_else(|error| exit(&error));
        if let Err(error) = cli.check() {
            error.exit();
        }
        cli
    }

    /// The history that a verb reads: the named one, or that of the daemon's configuration.
    pub fn history<A: clap::Args>(&self, verb: &WithHistory<A>) -> Result<PathBuf, config::Error> {
        match self.named_history(verb) {
            Some(named) => Ok(named.to_owned()),
            None => Ok(config::load_or_default(None)?.history.path),
        }
    }

    /// The history that is named after the verb, or before it.
    pub fn named_history<'a, A: clap::Args>(
        &'a self,
        verb: &'a WithHistory<A>,
    ) -> Option<&'a Path> {
        verb.db.as_deref().or(self.db.as_deref())
    }

    /// `--db` before a verb that uses no history would do nothing.
    fn check(&self) -> Result<(), clap::Error> {
        let verb = match self.verb {
            Verb::Decode(_) => "decode",
            Verb::Explain(_) => "explain",
            Verb::Analyze(_) => "analyze",
            Verb::Check(_) => "check",
            Verb::Attach(_) => "attach",
            Verb::Config(_) => "config",
            Verb::Detach(_) => "detach",
            Verb::Report(ref args) if args.own.reads_elsewhere() => "report",
            _ => return Ok(()),
        };
        let behind = match &self.verb {
            Verb::Report(args) => args.db.as_ref(),
            _ => None,
        };
        if self.db.as_ref().or(behind).is_none() {
            return Ok(());
        }
        let with = if verb == "report" {
            " with --events and --journal"
        } else {
            ""
        };
        let text = format!("`{verb}` uses no history{with}: leave out `--db`\n");
        Err(Self::command().error(ErrorKind::ArgumentConflict, text))
    }
}

/// Ends the process as clap does; `run` keeps 2 for its command.
fn exit(error: &clap::Error) -> ! {
    let verb = std::env::args_os()
        .skip(1)
        .find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    if error.use_stderr() && verb.is_some_and(|verb| verb == "run") {
        // If standard error is closed, the code is left.
        _ = error.print();
        std::process::exit(i32::from(verdict::UNWATCHED));
    }
    error.exit()
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(after_help = STATUS)]
    Status(WithHistory<command::status::Args>),
    #[command(after_help = WHY)]
    Why(WithHistory<command::why::Args>),
    #[command(after_help = TAIL)]
    Tail(WithHistory<command::tail::Args>),
    #[command(after_help = REPORT)]
    Report(WithHistory<command::report::Args>),
    #[command(after_help = DECODE)]
    Decode(command::decode::Args),
    #[command(after_help = EXPLAIN)]
    Explain(command::explain::Args),
    #[command(after_help = ANALYZE)]
    Analyze(command::analyze::Args),
    #[command(after_help = RUN)]
    Run(WithHistory<command::run::Args>),
    #[command(after_help = CHECK)]
    Check(command::check::Args),
    #[command(after_help = DAEMON)]
    Daemon(WithHistory<command::daemon::Args>),
    #[command(after_help = ATTACH)]
    Attach(command::attach::Args),
    #[command(after_help = DETACH)]
    Detach(command::detach::Args),
    #[command(after_help = CONFIG)]
    Config(command::config::Args),
}

const ATTACH: &str = "\
Where taintwatch.service is enabled, taintwatch-attach.service does this before udev loads the first module.

Examples:
  taintwatch attach                               # before the history's file system is mounted
  taintwatch attach --pins /sys/fs/bpf/elsewhere  # where the configuration says so";

const DETACH: &str = "\
A daemon that ends leaves its eBPF programs attached, so that nothing is missed until the next one takes over.

Examples:
  taintwatch detach                              # after `systemctl stop taintwatch`
  taintwatch detach --pins /sys/fs/bpf/elsewhere # where the configuration said so";

const STATUS: &str = "\
Exit codes: 0 untainted, 1 tainted, also where the mask was cleared since; 2 cannot tell, as for any error

Examples:
  taintwatch status                             # the mask now, for every user
  taintwatch status --json                      # one object, for scripts
  taintwatch status --fail-on W,D,B             # at the end of a test run: exit 1 for these alone
  taintwatch status --fail-on W --since-boot    # exit 2 where a gap in the coverage could hide one";

const WHY: &str = "\
Examples:
  taintwatch why              # each flag that is set
  taintwatch why W,P          # two flags; bits and names are accepted, too
  taintwatch why 'nvidia*'    # the flags that modules set
  taintwatch why --boot -1 W  # in the boot before this one";

const TAIL: &str = "\
Examples:
  taintwatch tail                          # the last ten events, then live
  taintwatch tail -n 0 --kind mask_write   # only what is to come, of one kind
  taintwatch tail --flag W --json          # one JSON object a line";

const REPORT: &str = "\
Examples:
  taintwatch report                          # this boot
  taintwatch report --boot all --since -7d   # every boot, the last week
  taintwatch report --boot -1 --diff 0       # what differs between the last boot and this one
  taintwatch report --html page.html         # for a browser, all in one file
  taintwatch report --journal /var/log/journal/remote   # of many machines: what they have in common
  clickhouse-client -q 'SELECT event FROM taintwatch FORMAT TSVRaw' | taintwatch report --events -";

const DECODE: &str = "\
Examples:
  taintwatch decode 12801
  taintwatch decode 'G        W  OE' --vendor suse
  dmesg | taintwatch decode -";

const EXPLAIN: &str = "\
Examples:
  taintwatch explain                   # a table of all flags
  taintwatch explain W 12 OOT_MODULE   # by letter, bit and name
  taintwatch explain --vendor rhel9 X  # in a vendor's words
  taintwatch explain --markdown        # a table for a wiki";

const ANALYZE: &str = "\
Exit codes: 0 done, 2 nothing found and not everything understood, as for any error

Examples:
  taintwatch analyze dmesg.txt
  taintwatch analyze /var/lib/systemd/pstore sosreport.tar.xz
  journalctl -k -b -1 -o export | taintwatch analyze - --json";

const RUN: &str = "\
Exit codes: 0 to 255 that of the command, 128 and the signal's number where one killed it; 99 the kernel was tainted, by
the command or by something unknown; 125 could not watch, or any other error; 126 the command cannot be started, 127 it is
not there

Examples:
  taintwatch run -- ./test.sh                               # as root, or beside a daemon
  taintwatch run --allow O,module=my_driver -- make check   # a taint that is expected
  taintwatch run --allow-file known.toml --junit taint.xml -- ./runltp -f syscalls";

const CHECK: &str = "\
Exit codes: 0 full coverage, 1 less, 2 an error

Examples:
  taintwatch check                         # as root: every hook is attached, and detached again
  taintwatch check --without breakpoint    # what is missing while a debugger has the breakpoints";

const DAEMON: &str = "\
SIGHUP makes it read its configuration again, SIGTERM and SIGINT end it

Examples:
  taintwatch daemon                        # as root, in the foreground
  taintwatch daemon --without breakpoint   # leaves the debug registers to a debugger";

const CONFIG: &str = "\
Exit codes: 0 right, 2 wrong, or an error of another kind

Examples:
  taintwatch config check                  # /etc/taintwatch/taintwatch.toml
  taintwatch config check new.toml         # before it is put there";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// A line's words, as a shell splits them: a `'` keeps blanks, a `#` ends the line.
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
    fn verbs_with_exit_codes_of_their_own_list_them() {
        for name in ["status", "run", "check", "analyze", "config"] {
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
    fn the_history_is_named_before_or_after_the_verbs_that_use_it() {
        assert!(DB.contains(crate::store::DEFAULT_PATH));
        for verb in Cli::command().get_subcommands() {
            let name = verb.get_name();
            let uses = ["status", "why", "tail", "report", "run", "daemon"].contains(&name);
            let mut words = vec!["taintwatch", "--db", "before", name];
            if ["decode", "analyze"].contains(&name) {
                words.push("x");
            } else if name == "config" {
                words.push("check");
            }
            // What stands behind it is the command's.
            let command: &[&str] = if name == "run" { &["--", "x"] } else { &[] };
            words.extend(command);
            let cli = Cli::try_parse_from(&words).unwrap();
            assert_eq!(cli.check().is_ok(), uses, "{name}");
            words.truncate(words.len() - command.len());
            words.extend(["--db", "after"]);
            words.extend(command);
            assert_eq!(Cli::try_parse_from(&words).is_ok(), uses, "{name}");
            let help = verb.clone().render_help().to_string();
            assert_eq!(help.contains("--db"), uses, "{name}");
        }
        for (words, expected) in [
            (&["taintwatch", "--db", "before", "why"][..], "before"),
            (
                &["taintwatch", "--db", "before", "why", "--db", "after"],
                "after",
            ),
        ] {
            let cli = Cli::try_parse_from(words).unwrap();
            let Verb::Why(args) = &cli.verb else { panic!() };
            assert_eq!(cli.history(args).unwrap(), Path::new(expected));
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
