//! What every program does: read its arguments, log, obey signals, and end with the right exit code.

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use clap::Parser;
use privateer::core::{BindError, ConnectError, EndpointError, InvalidRoutingId};
use privateer::lazy_pirate::LazyPirateError;
use privateer::majordomo::InvalidServiceName;
use privateer::paranoid_pirate::QueueError;
use privateer::{BrokerError, ClientError, WorkerError};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How a program ends.
pub(crate) type Result = std::result::Result<(), Box<dyn Error>>;

/// Tells that the program shall end: Ctrl-C or SIGTERM.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// Runs a program from its arguments to its exit code: 0, 1 if it failed, 2 if an argument or an endpoint is no good.
pub(crate) fn run<O, F, J>(program: F) -> ExitCode
where
    O: Parser,
    F: FnOnce(O, Stop) -> J,
    J: Future<Output = Result>,
{
    let options = match O::try_parse() {
        Ok(options) => options,
        Err(error) if error.use_stderr() => return unusable(&one_line(&error)),
        Err(help) => help.exit(),
    };
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            let stop = Stop::on_signal()?;
            program(options, stop).await
        })
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_unusable(&*error) => unusable(&with_sources(&*error)),
        Err(error) => {
            eprintln!("error: {}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

impl Stop {
    /// From now on the first signal is told here, and the second ends the process.
    fn on_signal() -> std::io::Result<Self> {
        let (told, stop) = watch::channel(false);
        #[cfg(unix)]
        let mut signals = {
            use tokio::signal::unix::{SignalKind, signal};
            let (mut interrupt, mut terminate) = (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            );
            async move || {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
        };
        #[cfg(not(unix))]
        let mut signals = async move || drop(tokio::signal::ctrl_c().await);
        tokio::spawn(async move {
            signals().await;
            told.send_replace(true);
            signals().await;
            std::process::exit(1);
        });
        Ok(Self(stop))
    }

    /// Waits for the signal; ready at once if it came.
    pub(crate) async fn requested(&self) {
        let mut told = self.0.clone();
        // The sender lives in a task that only ends with the process.
        let _gone = told.wait_for(|told| *told).await;
    }
}

fn unusable(reason: &dyn Display) -> ExitCode {
    eprintln!("error: {reason}");
    ExitCode::from(2)
}

/// Whether what the user gave is to blame.
fn is_unusable(error: &(dyn Error + 'static)) -> bool {
    error.is::<BindError>()
        || error.is::<ConnectError>()
        || error.is::<EndpointError>()
        || error.is::<BrokerError>()
        || error.is::<WorkerError>()
        || error.is::<QueueError>()
        || error.is::<LazyPirateError>()
        || error.is::<ClientError>()
        || error.is::<InvalidServiceName>()
        || error.is::<InvalidRoutingId>()
        || error.is::<clap::Error>()
}

/// What clap says, without the lines on usage.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("For more"))
        .collect();
    let words = words.join(" ").replace(" tip: ", "; ");
    format!(
        "{}; --help shows what can be given",
        words.trim_start_matches("error: ")
    )
}

fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = match error.downcast_ref::<clap::Error>() {
        Some(error) => one_line(error),
        None => error.to_string(),
    };
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
