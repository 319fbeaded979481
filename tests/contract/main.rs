//! The contracts of the two seams, proved: each suite is written once and stamped over every implementation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod broker;
mod dossiers;
mod duty;
mod ledger;
#[path = "../rabbit/node.rs"]
#[expect(dead_code, reason = "other tests ask more of a node")]
mod node;
mod support;
