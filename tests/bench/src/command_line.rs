//! The command line: what a caller may choose, and how this program starts itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::implementations::{self, Implementation};
use crate::work::{Case, Numbers, Transport, Work, word};
use crate::{Error, Result};

/// Measures Privateer side by side with other implementations of ZeroMQ and with plain TCP.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct CommandLine {
    /// What this process does; nothing: it measures.
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
    /// What is measured.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What this process does when it was started by itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// One side of a run.
    #[command(hide = true)]
    Child(Role),
    /// Many connections.
    #[command(hide = true)]
    Crowd(Crowd),
}

/// What is measured, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Settings {
    /// Kinds of work, separated by commas; all by default.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) only: Vec<Work>,
    /// Body sizes in octets, separated by commas; K and M stand for KiB and MiB.
    #[arg(long, value_delimiter = ',', value_parser = parse_size, default_value = "16,256,4K,64K,1M")]
    pub(crate) sizes: Vec<usize>,
    /// Implementations, separated by commas, see --list.
    #[arg(long, value_delimiter = ',', value_parser = parse_implementation)]
    pub(crate) impls: Vec<Implementation>,
    /// Runs of each implementation in each case; the table shows their median.
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Seconds that a run counts, after its warm-up.
    #[arg(long, default_value = "1", value_parser = parse_seconds)]
    pub(crate) seconds: Duration,
    /// Seconds after which a run is stopped and shown as hung.
    #[arg(long, default_value = "20", value_parser = parse_seconds)]
    pub(crate) limit: Duration,
    /// Pin each process to a core, which makes round trips steadier but is unfair to libraries with threads of their own.
    #[arg(long, value_enum)]
    pub(crate) pin: Option<Pin>,
    /// Idle connections for the work `peers`, and workers for `idle-workers`.
    #[arg(long, default_value = "10000")]
    pub(crate) peers: usize,
    /// The guide's program `ppqueue` (C, CZMQ), for the work `queue`; it takes the ports 5555 and 5556.
    #[arg(long, value_name = "PATH")]
    pub(crate) guide_queue: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the kinds of work and the implementations, and stop.
    #[arg(long)]
    pub(crate) list: bool,
}

/// Where the two processes of a run are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pin {
    /// Both on the first core.
    Same,
    /// One on the first core, one on the second.
    Apart,
}

/// Which side of a run a child process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// It binds.
    Bind,
    /// It connects.
    Connect,
    /// It does both.
    Both,
}

/// All that a child process has to know.
#[derive(Clone, Debug, Args)]
pub(crate) struct Role {
    #[arg(long, value_enum)]
    pub(crate) side: Side,
    #[arg(long, value_enum)]
    pub(crate) work: Work,
    #[arg(long, value_enum)]
    pub(crate) transport: Transport,
    #[arg(long)]
    pub(crate) size: usize,
    #[arg(long, value_parser = parse_implementation)]
    pub(crate) implementation: Implementation,
    /// Peers of a crowd that take part.
    #[arg(long)]
    pub(crate) active: Option<usize>,
    /// Peers of a crowd that stay silent.
    #[arg(long)]
    pub(crate) idle: Option<usize>,
    /// Of how many requests to the slow server one is slow.
    #[arg(long)]
    pub(crate) slow: Option<u32>,
    /// Seconds to count.
    #[arg(long, value_parser = parse_seconds)]
    pub(crate) seconds: Duration,
    /// Where the processes are kept.
    #[arg(long, value_enum)]
    pub(crate) pin: Option<Pin>,
    /// Where to bind or to connect to; several with spaces between them.
    #[arg(long)]
    pub(crate) endpoint: String,
}

/// What the process of many connections has to know.
#[derive(Clone, Debug, Args)]
pub(crate) struct Crowd {
    /// Where to connect to.
    #[arg(long)]
    pub(crate) endpoint: String,
    /// What those do that take part.
    #[arg(long, value_enum)]
    pub(crate) doing: Doing,
    /// Connections that take part.
    #[arg(long)]
    pub(crate) active: usize,
    /// Connections that stay silent.
    #[arg(long)]
    pub(crate) idle: usize,
    /// Octets in a body.
    #[arg(long)]
    pub(crate) size: usize,
    /// Who is told how far all subscribers are.
    #[arg(long)]
    pub(crate) progress: Option<SocketAddr>,
}

/// What a connection of a crowd does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Doing {
    /// Nothing.
    Nothing,
    /// It subscribes to everything, and counts.
    Subscribe,
    /// It asks, and waits for the replies.
    Ask,
    /// It is a Paranoid Pirate worker that gets no requests, only heartbeats.
    Beat,
    /// It is a Paranoid Pirate worker that answers with what was asked.
    Work,
}

impl Settings {
    /// The cases, in the order of the table.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let works = if self.only.is_empty() {
            Work::value_variants()
        } else {
            &self.only
        };
        works
            .iter()
            .flat_map(|work| work.cases(&self.sizes))
            .collect()
    }

    /// The implementations of one case, in the order of the table.
    pub(crate) fn implementations(&self, case: &Case) -> Vec<Implementation> {
        let chosen = if self.impls.is_empty() {
            implementations::by_default(case.work)
        } else {
            self.impls.clone()
        };
        chosen
            .into_iter()
            .filter(|implementation| implementation.does(case))
            .collect()
    }
}

impl Role {
    /// The crowd at the other side.
    pub(crate) fn crowd(&self) -> Result<Numbers> {
        let (active, idle) = self.active.zip(self.idle).ok_or("no crowd")?;
        Ok(Numbers { active, idle })
    }

    /// The arguments that make a process of this program take this role.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["child".to_owned()];
        let pairs = [
            ("--side", word(self.side)),
            ("--work", word(self.work)),
            ("--transport", word(self.transport)),
            ("--size", self.size.to_string()),
            ("--implementation", self.implementation.name.to_owned()),
            ("--seconds", self.seconds.as_secs_f64().to_string()),
            ("--endpoint", self.endpoint.clone()),
        ];
        if let Some(pin) = self.pin {
            arguments.extend(["--pin".to_owned(), word(pin)]);
        }
        for (name, count) in [("--active", self.active), ("--idle", self.idle)] {
            arguments.extend(count.map(|count| format!("{name}={count}")));
        }
        arguments.extend(self.slow.map(|slow| format!("--slow={slow}")));
        arguments.extend(
            pairs
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value]),
        );
        arguments
    }
}

impl Crowd {
    /// The arguments that make a process of this program open these connections.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["crowd".to_owned()];
        let pairs = [
            ("--endpoint", self.endpoint.clone()),
            ("--doing", word(self.doing)),
            ("--active", self.active.to_string()),
            ("--idle", self.idle.to_string()),
            ("--size", self.size.to_string()),
        ];
        let progress = self
            .progress
            .map(|address| ("--progress", address.to_string()));
        for (name, value) in pairs.into_iter().chain(progress) {
            arguments.extend([name.to_owned(), value]);
        }
        arguments
    }
}

fn parse_size(text: &str) -> Result<usize> {
    let (digits, unit) = match text.to_ascii_uppercase().strip_suffix(['K', 'M']) {
        Some(digits) if text.ends_with(['k', 'K']) => (digits.to_owned(), 1024),
        Some(digits) => (digits.to_owned(), 1024 * 1024),
        None => (text.to_owned(), 1),
    };
    let size = digits
        .parse::<usize>()?
        .checked_mul(unit)
        .ok_or("too large")?;
    if size == 0 {
        Err("a body has at least one octet".into())
    } else {
        Ok(size)
    }
}

fn parse_seconds(text: &str) -> Result<Duration> {
    let seconds = Duration::try_from_secs_f64(text.parse()?)?;
    if seconds.is_zero() {
        Err("must be more than zero".into())
    } else {
        Ok(seconds)
    }
}

fn parse_implementation(text: &str) -> Result<Implementation> {
    implementations::find(text)
        .ok_or_else(|| Error::from(format!("unknown implementation {text:?}, see --list")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("16").unwrap(), 16);
        assert_eq!(parse_size("64K").unwrap(), 65_536);
        assert_eq!(parse_size("1m").unwrap(), 1_048_576);
        assert!(parse_size("0").is_err());
        assert!(parse_size("x").is_err());
    }

    #[test]
    fn a_role_survives_the_command_line() {
        let role = Role {
            side: Side::Connect,
            work: Work::DealerRouter,
            transport: Transport::Ipc,
            size: 4096,
            implementation: implementations::find("libzmq").unwrap(),
            active: Some(1),
            idle: None,
            slow: Some(10),
            seconds: Duration::from_millis(1500),
            pin: Some(Pin::Apart),
            endpoint: "ipc:///tmp/x".to_owned(),
        };
        let line = CommandLine::parse_from(
            [vec!["privateer-bench".to_owned()], role.arguments()].concat(),
        );
        let Some(Action::Child(parsed)) = line.action else {
            panic!("no child")
        };
        assert_eq!(format!("{role:?}"), format!("{parsed:?}"));
    }
}
