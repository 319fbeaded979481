//! Agencies attached by AMQP: a real gateway, a real RabbitMQ, and agencies in Python on pika that nobody here wrote.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]
#![allow(clippy::print_stdout, reason = "figures are printed")]

#[path = "../gateway/support.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod site;
#[path = "../support/workday.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod workday;

#[path = "../support/nodes.rs"]
#[allow(dead_code, unused_imports, reason = "not every test binary uses all of it")]
mod nodes;

mod changes;
mod conversation;
mod description;
mod doors;
mod dossiers;
mod killed;
mod notices;
mod operator;
mod parked;
mod poison;
mod status_files;
mod still;
mod users;
mod world;
