//! The gateway seen from outside: the real binary, real TLS, a real ledger on disk.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]

mod allowances;
mod custody;
mod door;
mod dossiers;
mod duty;
mod edxml;
mod exchange;
mod idempotency;
mod limits;
mod operations;
mod sharing;
mod status;
mod support;
#[path = "../support/workday.rs"]
mod workday;
