#![doc = include_str!("../README.md")]

pub mod majordomo;

pub use privateer_core as core;
