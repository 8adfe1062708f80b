//! The command line of `zcat`.

use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, ArgGroup, ArgMatches, Args, FromArgMatches, Parser};
use privateer::core::{Endpoint, Frame, Message, RoutingId, SocketType};

/// Any socket on the command line
#[derive(Debug, Parser)]
#[command(
    name = "zcat",
    after_help = "Example: zcat push --connect tcp://127.0.0.1:5557 --send one --send two --frame more",
    group = ArgGroup::new("endpoint").args(["bind", "connect"]).required(true).multiple(true),
)]
pub(crate) struct Arguments {
    /// The type of the socket: req, rep, dealer, router, pub, sub, xpub, xsub, push, pull, pair,
    /// stream or collector
    #[arg(value_name = "TYPE", value_parser = socket_type)]
    pub(crate) socket: SocketType,
    /// Where to listen; may be repeated
    #[arg(long, value_name = "EP")]
    pub(crate) bind: Vec<Endpoint>,
    /// Where to connect to; may be repeated
    #[arg(long, value_name = "EP")]
    pub(crate) connect: Vec<Endpoint>,
    #[command(flatten)]
    pub(crate) given: Given,
    /// Every line of standard input is a message
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Send the messages again and again, one in this many milliseconds
    #[arg(long, value_name = "MS", value_parser = millis, requires = "send", conflicts_with = "stdin")]
    pub(crate) interval: Option<Duration>,
    /// End after this many messages: received, or sent if the socket only sends
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Send every message back as it came (rep, dealer, router, pair, stream)
    #[arg(long)]
    pub(crate) echo: bool,
    /// Receive messages that begin so (sub, xsub, collector); may be repeated. A sub or collector without
    /// it receives all
    #[arg(long, value_name = "PREFIX")]
    pub(crate) subscribe: Vec<String>,
    /// By what name a peer's ROUTER addresses the socket (req, dealer, router)
    #[arg(long, value_name = "ID", value_parser = routing_id)]
    pub(crate) routing_id: Option<RoutingId>,
    /// Tell replies apart by a number in the request (req)
    #[arg(long)]
    pub(crate) correlate: bool,
    /// Send only when this many peers are there (pub, xpub: and subscribed to the first message)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) wait_peers: usize,
    /// Fail if nothing is received or sent for this many milliseconds
    #[arg(long, value_name = "MS", value_parser = millis)]
    pub(crate) timeout: Option<Duration>,
    /// Print messages as JSON, one array a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// The messages of `--send` and `--frame`, whose order counts.
#[derive(Debug)]
pub(crate) struct Given(pub(crate) Vec<Message>);

impl Args for Given {
    fn augment_args(command: clap::Command) -> clap::Command {
        let argument = |name, value| {
            let argument = clap::Arg::new(name).long(name).value_name(value);
            argument.action(ArgAction::Append).allow_hyphen_values(true)
        };
        command
            .arg(argument("send", "TEXT").help("Begin a message with this frame; may be repeated"))
            .arg(
                argument("frame", "TEXT")
                    .help("Add a frame to the message")
                    .requires("send"),
            )
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of = |name| {
            let values = matches.get_many::<String>(name).into_iter().flatten();
            matches.indices_of(name).into_iter().flatten().zip(values)
        };
        let begins = of("send").map(|(index, text)| (index, true, text));
        let mut frames: Vec<_> = begins
            .chain(of("frame").map(|(index, text)| (index, false, text)))
            .collect();
        frames.sort_unstable_by_key(|(index, ..)| *index);
        let mut messages: Vec<Message> = Vec::new();
        for (_, begins, text) in frames {
            let frame = Frame::from(text.as_str());
            match messages.last_mut() {
                Some(message) if !begins => message.push(frame),
                None if !begins => {
                    let error = "--frame adds to a message; begin it with --send";
                    return Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, error));
                }
                _ => messages.push(frame.into()),
            }
        }
        Ok(Self(messages))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Arguments {
    /// What is asked of a socket that cannot do it, and the remedy.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        use SocketType::{
            Collector, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Stream, Sub, Xsub,
        };
        let name = self.socket;
        let sends = !self.given.0.is_empty() || self.stdin;
        let refuse = |is_wrong, remedy: &str| match is_wrong {
            true => Err(clap::Error::raw(
                ErrorKind::ArgumentConflict,
                format!("{name} {remedy}"),
            )),
            false => Ok(()),
        };
        refuse(
            !self.subscribe.is_empty() && !matches!(name, Sub | Xsub | Collector),
            "does not subscribe; leave out --subscribe",
        )?;
        refuse(
            self.correlate && name != Req,
            "does not correlate; leave out --correlate",
        )?;
        let named = matches!(name, Req | Dealer | Router);
        refuse(
            self.routing_id.is_some() && !named,
            "has no routing id; leave out --routing-id",
        )?;
        let echoes = matches!(name, Rep | Dealer | Router | Pair | Stream);
        refuse(self.echo && !echoes, "cannot echo; leave out --echo")?;
        refuse(
            sends && matches!(name, Pull | Sub | Collector),
            "only receives; leave out --send and --stdin",
        )?;
        refuse(
            !sends && matches!(name, Push | Pub | Req),
            "has nothing to send; give --send or --stdin",
        )?;
        let replies = usize::from(sends) + usize::from(self.echo);
        refuse(
            replies != 1 && name == Rep,
            "needs replies; give either --echo, or --send or --stdin",
        )
    }
}

fn socket_type(name: &str) -> Result<SocketType, &'static str> {
    use SocketType::{
        Collector, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Stream, Sub, Xpub, Xsub,
    };
    let all = [
        Req, Rep, Dealer, Router, Pub, Sub, Xpub, Xsub, Push, Pull, Pair, Stream, Collector,
    ];
    let named = all
        .into_iter()
        .find(|one| name.eq_ignore_ascii_case(one.as_str()));
    named.ok_or(
        "take req, rep, dealer, router, pub, sub, xpub, xsub, push, pull, pair, stream or collector",
    )
}

fn millis(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse()
        .map(|millis: std::num::NonZeroU64| Duration::from_millis(millis.get()))
}

fn routing_id(text: &str) -> Result<RoutingId, privateer::core::InvalidRoutingId> {
    RoutingId::new(text)
}
