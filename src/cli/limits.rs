//! `truc limits`: what an organ takes, to be known before sending to it.

use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{self, Lang, Word};
use super::{json, tables};
use crate::proto::v1;

/// Show what an organ takes, before sending to it / Xem hạn mức của một cơ quan
///
/// Size, document types, senders and room of its mailbox, and how fast the organ of the certificate may submit.
#[derive(Debug, Args)]
pub struct Limits {
    /// The organ id, H02 or 000.00.00.H02 [default: the certificate's]
    #[arg(value_name = "ORGAN", default_value = "", hide_default_value = true)]
    organ: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Limits {
    /// Asks and shows.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let limits = self.connection.call(async |agency| agency.limits(&self.organ).await)?;
        out.object(&json::limits(&limits))?;
        out.text(table(lang, &limits))
    }
}

fn table(lang: Lang, limits: &v1::GetLimitsResponse) -> String {
    let set = |number: u32| if number == 0 { String::new() } else { number.to_string() };
    let types = match limits.document_types.is_empty() {
        true => Word::All.text(lang).to_owned(),
        false => limits.document_types.join("; "),
    };
    let takes = if limits.takes_from_caller { Word::Yes } else { Word::No };
    tables::facts(
        lang,
        [
            (Word::OrganId, limits.organ_id.clone()),
            (Word::LargestPayload, limits.payload_bytes_max.to_string()),
            (Word::TypesTaken, types),
            (Word::TakesFromCaller, takes.text(lang).to_owned()),
            (Word::MailboxRoom, words::room(limits.mailbox_room()).text(lang).to_owned()),
            (Word::MailboxMax, limits.mailbox_deliveries_max.to_string()),
            (Word::WindowMax, set(limits.window_max)),
            (Word::CallerRate, set(limits.caller_rate_per_s)),
            (Word::CallerBurst, set(limits.caller_rate_burst)),
        ],
    )
}
