//! TLS over loopback with certificates of the development CA: who gets in, who does not, and what happens to
//! connections that are open while certificates change.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod channel;
mod crowd;
mod refusals;
mod reload;
mod support;
