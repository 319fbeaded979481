//! Recall, update and replacement through the real program in each set-up: what both agencies see, from the submission to the answer.

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

mod desk;
mod files;
mod life;
mod races;
