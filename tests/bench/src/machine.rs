//! The machine and the settings, which any figure needs beside it.

use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::command_line::Settings;
use crate::implementations::HIGH_WATER_MARK;
use crate::work::word;

/// What a reader of the figures has to know.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// The processor's name.
    pub(crate) processor: String,
    /// The kernel's version.
    pub(crate) kernel: String,
    /// Load average over the last minute before the first run.
    pub(crate) load: String,
    /// libzmq's version.
    pub(crate) libzmq: String,
    /// Interleaved runs of each implementation.
    pub(crate) runs: u32,
    /// Seconds that each run counts.
    pub(crate) seconds: f64,
    /// Cores that the two processes were pinned to.
    pub(crate) pinned: String,
    /// Idle connections.
    pub(crate) peers: usize,
    /// Messages that may wait for a peer, on each side.
    pub(crate) high_water_mark: u32,
}

/// Looks at the machine.
pub(crate) fn describe(settings: &Settings) -> About {
    let (major, minor, patch) = zmq::version();
    About {
        cores: available_parallelism().map_or(1, usize::from),
        processor: line_of("/proc/cpuinfo", "model name"),
        kernel: line_of("/proc/sys/kernel/osrelease", ""),
        load: line_of("/proc/loadavg", "")
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned(),
        libzmq: format!("{major}.{minor}.{patch}"),
        runs: settings.runs,
        seconds: settings.seconds.as_secs_f64(),
        pinned: settings.pin.map_or_else(|| "free".to_owned(), word),
        peers: settings.peers,
        high_water_mark: HIGH_WATER_MARK,
    }
}

/// What the first line that starts with the key says; empty if there is none.
fn line_of(path: &str, key: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap_or_default();
    value.trim_start_matches([' ', '\t', ':']).trim().to_owned()
}
