#![doc = include_str!("../README.md")]

pub use privateer_core as core;
