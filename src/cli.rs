//! The command line: one program, its roles as commands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config;

mod amqp;
mod bench;
mod check_config;
mod collect;
mod connection;
mod control;
mod dead;
mod directory;
mod dossier;
mod drain;
mod exit;
mod files;
mod hold;
mod json;
mod limits;
mod link;
mod organs;
mod out;
mod overdue;
mod pki;
mod progress;
mod recall;
mod receipts;
mod sandbox;
mod send;
mod serve;
mod signals;
mod status;
mod tables;
mod times;
mod track;
mod words;

use exit::Exit;
use words::Lang;

/// Trục: an interoperability message gateway.
#[derive(Debug, Parser)]
#[command(name = "truc", version, about, max_term_width = 110)]
struct Cli {
    /// Language of tables [default: by the locale, else English]
    #[arg(long, value_enum, global = true, help_heading = "Output")]
    lang: Option<Lang>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sandbox(sandbox::Sandbox),
    Serve(serve::Serve),
    Drain(drain::Drain),
    CheckConfig(check_config::CheckConfig),
    Pki(pki::Pki),
    Send(Box<send::Send>),
    /// Send a document in the place of others / Gửi văn bản thay thế
    ///
    /// The same as `truc send` with --replaces: what was never offered of the old documents ends at once, and
    /// those who have one are asked to take the new one in its place.
    Replace(Box<send::Send>),
    Recall(recall::Recall),
    Collect(collect::Collect),
    Status(status::Status),
    Track(track::Track),
    Receipts(receipts::Receipts),
    Link(link::Link),
    Overdue(overdue::Overdue),
    Directory(directory::Directory),
    Dossier(Box<dossier::Dossier>),
    Dead(dead::Dead),
    Hold(hold::Hold),
    Organs(organs::Organs),
    Resolve(organs::Resolve),
    Limits(limits::Limits),
    Amqp(amqp::Amqp),
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
    let lang = cli.lang.unwrap_or_else(|| Lang::of_environment(config::environment()));
    let done = match cli.command {
        Command::Sandbox(sandbox) => sandbox.run(lang),
        Command::Serve(serve) => serve.run(),
        Command::Drain(drain) => drain.run(),
        Command::CheckConfig(check) => check.run(lang),
        Command::Pki(pki) => pki.run(lang),
        Command::Send(send) => send.run(lang),
        Command::Replace(send) => send.replace(lang),
        Command::Recall(recall) => recall.run(lang),
        Command::Collect(collect) => collect.run(lang),
        Command::Status(status) => status.run(lang),
        Command::Track(track) => track.run(lang),
        Command::Receipts(receipts) => receipts.run(lang),
        Command::Link(link) => link.run(lang),
        Command::Overdue(overdue) => overdue.run(lang),
        Command::Directory(directory) => directory.run(lang),
        Command::Dossier(dossier) => dossier.run(lang),
        Command::Dead(dead) => dead.run(lang),
        Command::Hold(hold) => hold.run(lang),
        Command::Organs(organs) => organs.run(lang),
        Command::Resolve(resolve) => resolve.run(lang),
        Command::Limits(limits) => limits.run(lang),
        Command::Amqp(amqp) => amqp.run(lang),
        Command::Bench(bench) => bench.run(),
        Command::BenchClient(client) => client.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}

/// Runs what waits for others.
fn block_on<T>(work: impl Future<Output = Result<T, Exit>>) -> Result<T, Exit> {
    tokio::runtime::Runtime::new().map_err(Exit::failed)?.block_on(work)
}
