//! Push links seen from outside: the real binary brings mail to real endpoints over mutual TLS.

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
#[path = "../support/workday.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod workday;

mod certificates;
mod delivering;
mod endpoint;
mod isolation;
mod links;
mod notices;
mod outages;
mod receipts;
mod town;
