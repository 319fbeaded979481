//! Trục: an interoperability message gateway. `docs/ARCHITECTURE.md` is the map.

pub mod allowances;
pub mod amqp;
pub mod api;
pub mod app;
pub mod bench;
pub mod bridge;
pub mod broker;
pub mod cli;
pub mod client;
pub mod config;
pub mod delivery;
pub mod directory;
pub mod domain;
pub mod duty;
pub mod edxml;
pub mod identity;
pub mod intake;
pub mod ledger;
pub mod metrics;
pub mod ops;
pub mod proto;
pub mod push;
pub mod redirect;
pub mod retention;
pub mod submission;
