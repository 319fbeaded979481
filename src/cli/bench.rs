//! `truc bench`: how fast a gateway is, beside raw RabbitMQ, and whether every document came as it was sent.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ArgPredicate::IsPresent;
use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::signals::stop_asked;
use crate::bench::plan::{Amount, Door};
use crate::bench::{self, Load, LogLoad, Options, SetUp, Subject};
use crate::domain::time::{Clock, SystemClock};

/// Measurements of each kind when there is something to set them beside.
const ROUNDS_COMPARED: usize = 3;

/// Measure throughput and latency, and check every document / Đo năng lực
///
/// Drives a gateway with many organs that write to each other, and checks that every document is delivered byte for byte,
/// once, with all its receipts. Starts gateways of its own unless one is given, in one set-up or in all, each in turn with
/// the same load over plain RabbitMQ. Exit code 0 only if all held.
#[derive(Debug, Args)]
pub struct Bench {
    /// Organs; each sends and collects, with a connection of its own
    #[arg(long, value_name = "N", default_value_t = 16, default_value_ifs([("dossiers", IsPresent, "4"), ("profile", IsPresent, "56")]))]
    organs: usize,
    /// Documents in each round, by all organs together
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    documents: u64,
    /// Send for so many seconds in each round, in place of a number of documents
    #[arg(long, value_name = "N", conflicts_with = "documents")]
    seconds: Option<u32>,
    /// Payload bytes of a document; bytes of a step of a dossier, then 300
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 2_048,
        default_value_if("dossiers", IsPresent, "300")
    )]
    size: usize,
    /// Documents each organ has on their way, from submitting to the delivered receipt, and deliveries it holds unsettled
    #[arg(long, value_name = "N", default_value_t = 256, default_value_ifs([("dossiers", IsPresent, "2000"), ("profile", IsPresent, "16")]))]
    window: usize,
    /// Documents a second by all organs together, in place of as fast as the windows allow
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Client processes among which the organs are divided
    #[arg(long, value_name = "N", default_value_t = 2, default_value_if("dossiers", IsPresent, "1"))]
    clients: usize,
    /// Rounds of each kind, in turn; the medians count. 1 unless two kinds are compared, then 3
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Payloads and recipients follow from it; without one, from the time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the gateway's data is put; removed afterwards
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    data: PathBuf,
    /// The set-ups to measure, in turn
    #[arg(long, value_name = "SET-UP", value_enum, value_delimiter = ',', default_value = "standalone")]
    set_up: Vec<Choice>,
    /// Gateway nodes of scale-out; of several numbers, each is measured
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "2")]
    nodes: Vec<usize>,
    /// A RabbitMQ node, amqp://user:password@host:port/vhost: for the set-ups that have one, which use names of their own
    /// there and delete them; and for the baseline, the same load over quorum queues with confirms and manual
    /// acknowledgements, in turn with the gateway
    #[arg(long, value_name = "URL", visible_alias = "baseline-amqp")]
    rabbitmq: Option<String>,
    /// A PostgreSQL server on this machine, postgres://user:password@host:port/database: for the set-ups that have one, which
    /// use databases of their own there and drop them
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// A gateway that runs already, https://host:port, or several nodes of one; mail of its organs is left alone, but they
    /// should be idle
    #[arg(long, value_name = "URL", value_delimiter = ',', requires = "pki", conflicts_with_all = ["set_up", "nodes"])]
    endpoint: Vec<String>,
    /// The folder of its CA as `truc pki` makes it: ca.crt, and an ID.crt and ID.key for each organ
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    pki: Option<PathBuf>,
    /// Measure what so many deliveries that wait for an absent organ cost: memory, restart, the others' throughput
    #[arg(long, value_name = "N", conflicts_with_all = ["rabbitmq", "endpoint", "stalled", "mailboxes"])]
    waiting: Option<u64>,
    /// Measure what so many collectors that never settle, and a slow one, cost the others
    #[arg(long, value_name = "N", conflicts_with_all = ["rabbitmq", "endpoint", "mailboxes"])]
    stalled: Option<usize>,
    /// Measure so many mailboxes at once: of provinces, central bodies, and communes and departments that provinces collect
    /// for; first with nothing there, then after a restart with all their queues
    #[arg(long, value_name = "N", conflicts_with_all = ["organs", "endpoint"])]
    mailboxes: Option<usize>,
    /// Measure the log of dossiers / Đo nhật ký hồ sơ
    ///
    /// With so many steps in each round: organs publish, one follows; then one reads the log from its start. Beside plain RabbitMQ - the same steps
    /// through one quorum queue - where --rabbitmq is given. Organs are 4 unless said otherwise, each with 2,000 steps on their way, in one process
    #[arg(long, value_name = "STEPS", conflicts_with_all = ["documents", "seconds", "endpoint", "waiting", "stalled", "mailboxes"])]
    dossiers: Option<u64>,
    /// Dossiers each publisher has in hand at a time, which get their steps in turns
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "dossiers")]
    open: u64,
    /// Store so many steps first, and set publishing and following then beside that on an empty log
    #[arg(long, value_name = "STEPS", default_value_t = 0, requires = "dossiers")]
    stored: u64,
    /// Play a month of the whole country as fast as it goes / Chạy lại một tháng của cả nước
    ///
    /// national-month is April 2025: 1,259,499 documents between ministries and provinces, and 1.6 million dossiers of six steps each, which the
    /// portal follows, at once; scaled by --scale
    #[arg(long, value_enum, conflicts_with_all = ["organs", "documents", "seconds", "size", "rate", "endpoint", "waiting", "stalled", "mailboxes", "dossiers"])]
    profile: Option<Profile>,
    /// Which share of the month
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, requires = "profile")]
    scale: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--set-up` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// SQLite and the embedded broker
    Standalone,
    /// SQLite and RabbitMQ
    Bridge,
    /// PostgreSQL and RabbitMQ, several nodes
    ScaleOut,
    /// Each of these
    All,
}

/// What `--profile` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// April 2025
    NationalMonth,
}

/// A client process of `truc bench`. Reads a plan on standard input.
#[derive(Debug, Args)]
pub struct BenchClient {}

impl Bench {
    /// Measures and prints.
    pub fn run(self) -> Result<(), Exit> {
        let json = self.json;
        let options = self.options();
        options.check().map_err(Exit::usage)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let report = runtime.map_err(Exit::failed)?.block_on(async {
            tokio::select! {
                report = bench::run(&options) => report.map_err(Exit::failed),
                stopped = stop_asked() => Err(stopped.err().unwrap_or(Exit::Failed("interrupted".to_owned()))),
            }
        })?;
        let told =
            if json { serde_json::to_string(&report).map_err(Exit::failed)? } else { report.to_string() };
        writeln!(io::stdout(), "{told}").map_err(Exit::failed)?;
        match report.verified() {
            true => Ok(()),
            false => Err(Exit::Failed("not every document was as it has to be".to_owned())),
        }
    }

    fn options(self) -> Options {
        let set_ups = self.set_ups();
        let subject = self.subject();
        let compared = match subject {
            Subject::Exchange => self.rabbitmq.is_some() || set_ups.len() > 1,
            Subject::Waiting(_) | Subject::Stalled(_) | Subject::Dossiers(_) => true,
            Subject::Mailboxes(_) | Subject::Month(_) => false,
        };
        let time = |seconds| Amount::Time(Duration::from_secs(u64::from(seconds)));
        let given = self.pki.map(|pki| Door { endpoints: self.endpoint, pki });
        Options {
            load: Load {
                organs: self.organs,
                amount: self.seconds.map_or(Amount::Documents(self.dossiers.unwrap_or(self.documents)), time),
                rate_per_s: self.rate,
                size: self.size,
                window: self.window,
                clients: self.clients,
                seed: self.seed.unwrap_or_else(|| SystemClock.now().as_micros().unsigned_abs()),
            },
            rounds: self.rounds.unwrap_or(if compared { ROUNDS_COMPARED } else { 1 }),
            data: self.data,
            set_ups,
            given,
            rabbitmq: self.rabbitmq,
            postgres: self.postgres,
            subject,
        }
    }

    fn subject(&self) -> Subject {
        let dossiers = self.dossiers.map(|_| LogLoad { open: self.open, stored: self.stored });
        let subjects = [
            self.waiting.map(Subject::Waiting),
            self.stalled.map(Subject::Stalled),
            self.mailboxes.map(Subject::Mailboxes),
            dossiers.map(Subject::Dossiers),
            self.profile.map(|Profile::NationalMonth| Subject::Month(self.scale)),
        ];
        subjects.into_iter().flatten().next().unwrap_or(Subject::Exchange)
    }

    fn set_ups(&self) -> Vec<SetUp> {
        let is_chosen = |choice| self.set_up.contains(&choice) || self.set_up.contains(&Choice::All);
        let one = |choice, set_up| is_chosen(choice).then_some(set_up);
        let scale_out = self.nodes.iter().map(|nodes| SetUp::ScaleOut { nodes: *nodes });
        let scale_out = scale_out.filter(|_| is_chosen(Choice::ScaleOut));
        let one_node = [one(Choice::Standalone, SetUp::Standalone), one(Choice::Bridge, SetUp::Bridge)];
        one_node.into_iter().flatten().chain(scale_out).collect()
    }
}

impl BenchClient {
    /// Plays its part.
    pub fn run(self) -> Result<(), Exit> {
        if io::stdin().is_terminal() {
            return Err(Exit::usage("this command is run by `truc bench`"));
        }
        bench::run_client().map_err(Exit::failed)
    }
}
