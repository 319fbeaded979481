//! The gateway as its operators see it: reloads, stops, probes, metrics, logs, and what it says when it cannot start.

mod draining;
mod reload;
mod stalling;
mod starting;
mod stopping;
mod watching;
