//! The runs: every implementation in turn, again and again, and what came of each.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use crate::Result;
use crate::command_line::{Crowd, Doing, Role, Settings, Side};
use crate::implementations::{ALL, Implementation};
use crate::processes::Process;
use crate::sample::Sample;
use crate::work::{Case, Numbers, Shape, Transport, Work, word};
use crate::{goals, idle_peers, machine, pirates, runtime, table};

/// What came of the runs of one implementation in one case.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Every run gave a sample.
    Measured(Vec<Sample>),
    /// It cannot be measured with these settings, and why.
    Absent(&'static str),
    /// A run passed its time limit; no further run was tried.
    Hung,
    /// A run failed; no further run was tried.
    Failed(String),
}

/// A case with a line for each implementation.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The case.
    pub(crate) case: Case,
    /// Implementations in the order of the table.
    pub(crate) rows: Vec<(Implementation, Outcome)>,
}

impl Block {
    /// The runs of an implementation, if it was measured.
    pub(crate) fn samples(&self, name: &str) -> Option<&[Sample]> {
        self.measured()
            .find_map(|(implementation, samples)| (implementation.name == name).then_some(samples))
    }

    /// All that was measured.
    pub(crate) fn measured(&self) -> impl Iterator<Item = (Implementation, &[Sample])> {
        self.rows
            .iter()
            .filter_map(|(implementation, outcome)| match outcome {
                Outcome::Measured(samples) => Some((*implementation, samples.as_slice())),
                Outcome::Absent(_) | Outcome::Hung | Outcome::Failed(_) => None,
            })
    }
}

/// Measures everything that the settings ask for, and prints it.
///
/// # Errors
/// Fails if a process cannot be started; what goes wrong inside a run stands in the table.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    if settings.list {
        print_choices();
        return Ok(());
    }
    runtime::current_thread()?.block_on(measure(settings))
}

async fn measure(settings: &Settings) -> Result<()> {
    let about = machine::describe(settings);
    if !settings.json {
        println!("{}", table::about(&about));
    }
    let mut blocks = Vec::new();
    for case in settings.cases() {
        let block = measure_case(case, settings).await?;
        if !settings.json {
            println!("{}", table::block(&block));
        }
        blocks.push(block);
    }
    let verdicts = goals::judge(&blocks);
    if settings.json {
        let cases: Vec<_> = blocks.iter().map(table::as_json).collect();
        println!(
            "{:#}",
            json!({ "about": about, "cases": cases, "goals": verdicts })
        );
    } else {
        println!("{}", table::verdicts(&verdicts));
    }
    Ok(())
}

/// All runs of one case, interleaved.
async fn measure_case(case: Case, settings: &Settings) -> Result<Block> {
    let implementations = settings.implementations(&case);
    let mut rows: Vec<_> = implementations
        .into_iter()
        .map(|it| match pirates::absent(it.library, settings) {
            Some(why) => (it, Outcome::Absent(why)),
            None => (it, Outcome::Measured(Vec::new())),
        })
        .collect();
    for run in 1..=settings.runs {
        for (implementation, outcome) in &mut rows {
            let Outcome::Measured(samples) = outcome else {
                continue;
            };
            progress(&format!(
                "{case}: run {run} of {}, {}",
                settings.runs, implementation.name
            ));
            let sample = timeout(
                settings.limit,
                measure_once(case, *implementation, settings),
            )
            .await;
            match sample {
                Ok(Ok(sample)) => samples.push(sample),
                Ok(Err(error)) => *outcome = Outcome::Failed(error.to_string()),
                Err(_) => *outcome = Outcome::Hung,
            }
        }
    }
    progress("");
    Ok(Block { case, rows })
}

/// One run: both processes from their start to their end.
async fn measure_once(
    case: Case,
    implementation: Implementation,
    settings: &Settings,
) -> Result<Sample> {
    let role = |side, endpoint| Role {
        side,
        work: case.work,
        transport: case.transport,
        size: case.size,
        implementation,
        active: case.crowd.map(|crowd| crowd.active),
        idle: case.crowd.map(|crowd| crowd.idle),
        slow: case.slow,
        seconds: settings.seconds,
        pin: settings.pin,
        endpoint,
    };
    let shape = case.work.shape();
    let (endpoint, _file) = free_endpoint(case.transport);
    if case.work.is_of_a_pattern() {
        return pirates::measure(&role(Side::Bind, endpoint), settings).await;
    }
    if shape == Shape::OneProcess {
        return Process::start(&role(Side::Both, endpoint).arguments())?
            .sample()
            .await;
    }
    let mut binder = Process::start(&role(Side::Bind, endpoint).arguments())?;
    let endpoint = binder.endpoint().await?;
    if shape == Shape::Idle {
        return idle_peers::measure(binder, endpoint, settings.peers).await;
    }
    if let Some(numbers) = case.crowd {
        let crowd = crowd(&mut binder, endpoint, case, numbers).await?;
        return await_sample(binder, crowd).await;
    }
    let connecter = Process::start(&role(Side::Connect, endpoint).arguments())?;
    let (measures, other) = if shape == Shape::OneWay {
        (binder, connecter)
    } else {
        (connecter, binder)
    };
    await_sample(measures, other).await
}

/// Starts the crowd that is at the other side of a binder.
async fn crowd(
    binder: &mut Process,
    endpoint: String,
    case: Case,
    numbers: Numbers,
) -> Result<Process> {
    let (doing, progress) = match case.work.shape() {
        Shape::Publish => (Doing::Subscribe, Some(binder.progress().await?)),
        _ => (Doing::Ask, None),
    };
    let crowd = Crowd {
        endpoint,
        doing,
        active: numbers.active,
        idle: numbers.idle,
        size: case.size,
        progress,
    };
    Process::start(&crowd.arguments())
}

/// Waits for the sample of one process while watching that the other lives; stops both.
async fn await_sample(mut measures: Process, mut other: Process) -> Result<Sample> {
    measures.introduce(other.id()?).await?;
    let sample = tokio::select! {
        biased;
        sample = measures.sample() => sample,
        report = other.report() => Err(report.err().unwrap_or_else(|| "spoke out of turn".into())),
    };
    measures.stop().await?;
    other.stop().await?;
    sample
}

/// A socket's file, removed at the end of its run whatever the run came to.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Most libraries have removed it themselves.
        drop(std::fs::remove_file(&self.0));
    }
}

/// An endpoint that no run has used yet, with its file if it has one.
fn free_endpoint(transport: Transport) -> (String, Option<SocketFile>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "privateer-bench-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    match transport {
        Transport::Tcp => ("tcp://127.0.0.1:0".to_owned(), None),
        Transport::Ipc => {
            let path = std::env::temp_dir().join(name);
            (format!("ipc://{}", path.display()), Some(SocketFile(path)))
        }
        Transport::Inproc => (format!("inproc://{name}"), None),
    }
}

/// Shows where it is, if somebody watches.
fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

fn print_choices() {
    use clap::ValueEnum;
    let works: Vec<_> = Work::value_variants()
        .iter()
        .map(|work| word(*work))
        .collect();
    println!("--only   {}", works.join(","));
    for implementation in ALL {
        println!(
            "--impls  {:<16} {}",
            implementation.name,
            implementation.runtime()
        );
    }
}
