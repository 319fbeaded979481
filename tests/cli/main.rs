//! The command line as its users meet it: the real program, its output, its files, its exit codes.

mod exchange;
mod help;
mod pki;
mod sandbox;
mod support;
mod usage;
