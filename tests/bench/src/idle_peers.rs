//! Memory of idle peers: what a ROUTER's process grows by when many connect to it and stay silent.

use std::time::Duration;

use crate::Result;
use crate::command_line::{Crowd, Doing};
use crate::processes::{Process, resident};
use crate::sample::{Metric, Report, Sample};

/// How long a process may still tidy up before its memory is read.
const SETTLING: Duration = Duration::from_millis(500);

/// Connects the crowd to the ROUTER and reads the ROUTER's memory before and after.
pub(crate) async fn measure(router: Process, endpoint: String, count: usize) -> Result<Sample> {
    tokio::time::sleep(SETTLING).await;
    let crowd = Crowd {
        endpoint,
        doing: Doing::Nothing,
        active: 0,
        idle: count,
        size: 0,
        progress: None,
    };
    let before = resident(router.id()?)?;
    let mut crowd = Process::start(&crowd.arguments())?;
    match crowd.report().await? {
        Report::Opened(opened) if opened == count => {}
        Report::Opened(opened) => {
            return Err(format!("only {opened} of {count} stayed open").into());
        }
        other => return Err(format!("the connections were expected, {other:?} came").into()),
    }
    let after = resident(router.id()?)?;
    router.stop().await?;
    crowd.stop().await?;
    Ok(Sample::from([(
        Metric::KibPerPeer,
        (after - before) / count as f64,
    )]))
}
