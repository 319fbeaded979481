//! The command line as its users meet it: the real program, its output, its files, its exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]

mod custody;
mod exchange;
mod help;
mod pki;
mod sandbox;
mod support;
mod usage;
