//! RabbitMQ away, slow, full, half dead, wrong or somebody else: what the gateway's side of it does then.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; figures are printed"
)]

mod cycles;
mod faults;
mod leaderless;
mod mandatory;
mod node;
mod outages;
mod place;
mod proxy;
mod speed;
mod tls;
mod together;
mod topology;
