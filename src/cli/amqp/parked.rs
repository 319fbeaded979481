//! `truc amqp parked`: messages nobody understood.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Where;
use crate::app;
use crate::bridge::parked::{Attic, Error, Parked};
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, tables, times};
use crate::domain::time::Timestamp;

/// The longest a command takes.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Most messages of one list.
const LIST_MAX: u64 = 10_000;

/// Look after messages nobody understood / Xử lý thông điệp không đọc được
#[derive(Debug, Args)]
pub struct ParkedArgs {
    #[command(subcommand)]
    command: ParkedCommand,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum ParkedCommand {
    /// List the oldest ones / Liệt kê
    List {
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIST_MAX))]
        limit: u64,
    },
    /// Show one, with what it says / Xem một thông điệp
    Show {
        /// Its id, from the list
        id: String,
    },
    /// Send it on its way again / Gửi lại
    ///
    /// It leaves the queue when RabbitMQ has it. If it still cannot be understood, it is parked anew.
    #[command(group(clap::ArgGroup::new("which").required(true)))]
    Replay {
        /// Its id, from the list
        #[arg(group = "which")]
        id: Option<String>,
        /// All that agencies sent
        #[arg(long, group = "which")]
        all: bool,
    },
    /// Throw it away for good / Bỏ hẳn
    Discard {
        /// Its id, from the list
        id: String,
    },
}

impl ParkedArgs {
    pub(super) fn run(self, lang: Lang) -> Result<(), Exit> {
        let config = self.place.config()?;
        let (options, topology) = app::rabbitmq(&config);
        let mut out = Out::new(lang, self.form);
        block_on(async {
            let work = async {
                let attic = Attic::open(options, topology).await.map_err(refused)?;
                let done = perform(&attic, self.command, &mut out).await;
                attic.close().await;
                done
            };
            let late = || Exit::Failed(format!("RabbitMQ has not answered within {} s", TIMEOUT.as_secs()));
            tokio::time::timeout(TIMEOUT, work).await.map_err(|_| late())?
        })
    }
}

async fn perform(attic: &Attic, command: ParkedCommand, out: &mut Out) -> Result<(), Exit> {
    match command {
        ParkedCommand::List { limit } => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            list(out, &attic.list(limit).await.map_err(refused)?)
        }
        ParkedCommand::Show { id } => show(out, &attic.show(&id).await.map_err(refused)?),
        ParkedCommand::Replay { id: Some(id), .. } => {
            attic.replay(&id).await.map_err(refused)?;
            out.object(&json!({ "type": "replayed", "id": id }))?;
            out.text(id)
        }
        ParkedCommand::Replay { id: None, .. } => {
            let (replayed, left) = attic.replay_all().await.map_err(refused)?;
            for error in &left {
                out.note(error);
            }
            out.object(&json!({ "type": "replayed", "count": replayed, "left": left.len() }))?;
            out.text(replayed)?;
            match left.is_empty() {
                true => Ok(()),
                false => Err(Exit::Failed(format!("{} are still parked", left.len()))),
            }
        }
        ParkedCommand::Discard { id } => {
            let parked = attic.discard(&id).await.map_err(refused)?;
            out.object(&object(&parked))?;
            out.text(id)
        }
    }
}

fn refused(error: Error) -> Exit {
    match error {
        Error::Options(_) | Error::NotFound(_) | Error::NotReplayable { .. } => Exit::usage(error),
        Error::Lost(_) | Error::Broker(_) | Error::NotTaken { .. } => Exit::failed(error),
    }
}

fn list(out: &mut Out, parked: &[Parked]) -> Result<(), Exit> {
    let heads = [Word::ParkedId, Word::Time, Word::ParkCause, Word::Sender, Word::Message, Word::Payload];
    let mut table = tables::framed(out.lang(), &heads);
    for one in parked {
        out.object(&object(one))?;
        table.add_row([
            one.id.clone(),
            times::short(time(one).as_ref()),
            one.cause.clone(),
            one.user.clone(),
            one.message_id.clone(),
            format!("{} {}", one.bytes, out.word(Word::Bytes)),
        ]);
    }
    out.text(table)
}

fn show(out: &mut Out, parked: &Parked) -> Result<(), Exit> {
    let mut object = object(parked);
    // The whole of it, as text where it is one.
    object["body"] = match std::str::from_utf8(&parked.body) {
        Ok(text) => Value::from(text),
        Err(_) => {
            use base64::Engine;
            Value::from(base64::engine::general_purpose::STANDARD.encode(&parked.body))
        }
    };
    object["body_is_base64"] = Value::from(std::str::from_utf8(&parked.body).is_err());
    out.object(&object)?;
    let facts = [
        (Word::ParkedId, parked.id.clone()),
        (Word::Time, times::short(time(parked).as_ref())),
        (Word::ParkCause, parked.cause.clone()),
        (Word::Reason, parked.detail.clone()),
        (Word::Sender, parked.user.clone()),
        (Word::Message, parked.message_id.clone()),
        (Word::Payload, format!("{} {}, {}", parked.bytes, out.word(Word::Bytes), parked.content_type)),
    ];
    out.text(tables::facts(out.lang(), facts))?;
    out.text(String::from_utf8_lossy(&parked.body))
}

fn object(parked: &Parked) -> Value {
    json!({
        "type": "parked",
        "id": parked.id,
        "time": times::exact(time(parked).as_ref()),
        "cause": parked.cause,
        "detail": parked.detail,
        "exchange": parked.exchange,
        "routing_key": parked.routing_key,
        "user": parked.user,
        "message_id": parked.message_id,
        "correlation_id": parked.correlation_id,
        "content_type": parked.content_type,
        "message_type": parked.kind,
        "bytes": parked.bytes,
    })
}

fn time(parked: &Parked) -> Option<prost_types::Timestamp> {
    let micros = i64::try_from(parked.parked_at).ok()?.checked_mul(1_000_000)?;
    (micros > 0).then(|| times::written(Timestamp::from_micros(micros)))
}
