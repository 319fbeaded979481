//! `truc amqp dossiers`: the queues of dossiers, and how full they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Where;
use crate::amqp::topology::{Declared, Topology, find_queue};
use crate::amqp::{Link, Lost, Options, Tasks};
use crate::app;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, tables};
use crate::config::dossiers::Grant;
use crate::domain::organ_id::OrganId;
use crate::metrics::Metrics;

/// The longest the command takes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Show the queues of dossiers / Xem các hàng đợi hồ sơ
///
/// Of each organ that bridge.dossier_queues names: what it wants, whether the directory attaches it by AMQP, how many events wait in its
/// queue, and how many consumers it has there.
#[derive(Debug, Args)]
pub struct DossiersArgs {
    #[command(flatten)]
    place: Where,
    /// Answer in JSON, one object a line
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// One organ's queue.
struct Row {
    organ: OrganId,
    wants: Vec<String>,
    queue: String,
    is_attached: bool,
    found: Option<Declared>,
}

impl DossiersArgs {
    pub(super) fn run(self, lang: Lang) -> Result<(), Exit> {
        let config = self.place.config()?;
        let directory = app::read_directory(&config.directory).map_err(Exit::usage)?;
        let (options, topology) = app::rabbitmq(&config);
        let mut wants: BTreeMap<OrganId, Vec<String>> = BTreeMap::new();
        for wanted in &config.bridge.dossier_queues {
            wants.entry(wanted.reader.clone()).or_default().push(rest(wanted));
        }
        let rows = wants.into_iter().map(|(organ, wants)| Row {
            wants,
            queue: topology.names.dossiers_of(&organ),
            is_attached: directory.get(&organ).is_some_and(|organ| organ.link.is_amqp()),
            found: None,
            organ,
        });
        let mut rows: Vec<Row> = rows.collect();
        if !rows.is_empty() {
            block_on(look(options, &topology, &mut rows))?;
        }
        print(&mut Out::new(lang, Form { json: self.json }), &rows, config.bridge.dossier_queue_length)
    }
}

/// What is wanted, without who wants it.
fn rest(wanted: &Grant) -> String {
    let subtree = wanted.at_or_below.as_ref().map_or("*", OrganId::as_str);
    format!("{subtree} {}", wanted.procedure.as_ref().map_or("*", |procedure| procedure.as_str()))
}

async fn look(options: Options, topology: &Topology, rows: &mut [Row]) -> Result<(), Exit> {
    let tasks = Tasks::default();
    let metrics = Arc::new(Metrics::unobserved());
    let link = Link::start(options, "operator", metrics, &tasks).map_err(Exit::usage)?;
    let looking = async {
        link.up().await?;
        for row in rows {
            row.found = find_queue(&link, &topology.dossiers(&row.organ)).await?;
        }
        Ok::<(), Lost>(())
    };
    let looked = tokio::time::timeout(TIMEOUT, looking).await;
    tasks.stopped().await;
    let late = || Exit::Failed(format!("RabbitMQ has not answered within {} s", TIMEOUT.as_secs()));
    looked.map_err(|_| late())?.map_err(Exit::failed)
}

fn print(out: &mut Out, rows: &[Row], length_max: u32) -> Result<(), Exit> {
    let heads = [Word::OrganId, Word::Wants, Word::Queue, Word::Events, Word::Consumers];
    let mut table = tables::framed(out.lang(), &heads);
    for row in rows {
        let found = row.found.as_ref();
        out.object(&json!({
            "type": "dossier_queue",
            "organ": row.organ.as_str(),
            "wants": row.wants,
            "queue": row.queue,
            "attached": row.is_attached,
            "declared": found.is_some(),
            "events": found.map(|found| found.messages),
            "events_max": length_max,
            "consumers": found.map(|found| found.consumers),
        }))?;
        let missing = if row.is_attached { Word::NotThere } else { Word::NotAttached };
        table.add_row([
            row.organ.to_string(),
            row.wants.join("\n"),
            row.queue.clone(),
            found.map_or(out.word(missing).to_owned(), |found| format!("{} / {length_max}", found.messages)),
            found.map_or(String::new(), |found| found.consumers.to_string()),
        ]);
    }
    out.text(table)
}
