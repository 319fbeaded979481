//! Comparing and mending seen from outside: the real binary finds the few steps that differ among very many, and few bytes go over the line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]
#![allow(clippy::print_stdout, reason = "figures are printed")]

#[path = "../support/nodes.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod nodes;
#[path = "../support/setup.rs"]
mod setup;
#[path = "../gateway/support.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod site;

mod asking;
mod line;
mod many;
mod town;
mod vectors;
