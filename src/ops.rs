//! What an operator and a monitoring system see of a running gateway: metrics, probes, the log.

pub mod control;
pub mod logging;
pub mod probes;
pub mod readiness;
pub mod server;
