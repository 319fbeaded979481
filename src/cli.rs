//! The command line: one program, its roles as commands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod check_config;
mod exit;
mod serve;

/// Trục: an interoperability message gateway.
#[derive(Debug, Parser)]
#[command(name = "truc", version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a gateway / Chạy cổng liên thông
    Serve(serve::Serve),
    /// Check a configuration and say what is wrong / Kiểm tra cấu hình
    CheckConfig(check_config::CheckConfig),
    /// Measure throughput and latency, and check every document / Đo năng lực
    Bench(bench::Bench),
    #[command(hide = true)]
    BenchClient(bench::BenchClient),
}

/// Runs the command the process was started with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let done = match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::CheckConfig(check) => check.run(),
        Command::Bench(bench) => bench.run(),
        Command::BenchClient(client) => client.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}
