//! `truc dead list` and `truc dead show`.

use clap::Args;

use super::Filter;
use crate::cli::connection::Session;
use crate::cli::exit::Exit;
use crate::cli::out::Out;
use crate::cli::words::{self, Lang, Word};
use crate::cli::{block_on, json, tables, times};
use crate::domain::limits::DEAD_LETTERS_MAX;
use crate::proto::v1;

/// List dead letters / Liệt kê
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// How many at most
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    session: Session,
}

/// Show a dead letter and its story / Xem một lượt giao
#[derive(Debug, Args)]
pub struct Show {
    /// The delivery, from the list
    #[arg(value_name = "DELIVERY_ID")]
    delivery_id: String,
    #[command(flatten)]
    session: Session,
}

impl List {
    /// Lists.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.session.form);
        let heads = [
            Word::Delivery,
            Word::Recipient,
            Word::Sender,
            Word::Message,
            Word::DeadSince,
            Word::Attempts,
            Word::Reason,
        ];
        let mut table = tables::framed(lang, &heads);
        let mut left = self.limit;
        let filter = self.filter.written();
        block_on(async {
            let agency = self.session.connection.agency().await?;
            let mut request = v1::ListDeadLettersRequest { filter: Some(filter), ..Default::default() };
            while left > 0 {
                request.page_size = DEAD_LETTERS_MAX.min(u32::try_from(left).unwrap_or(u32::MAX));
                let page = agency.dead_letters(request.clone()).await.map_err(Exit::failed)?;
                left = left.saturating_sub(page.dead_letters.len());
                for letter in &page.dead_letters {
                    out.object(&json::dead_letter(letter))?;
                    table.add_row(row(lang, letter));
                }
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
            }
            out.text(table)
        })
    }
}

fn row(lang: Lang, letter: &v1::DeadLetter) -> [String; 7] {
    let delivery = letter.delivery.clone().unwrap_or_default();
    [
        delivery.delivery_id,
        delivery.recipient,
        letter.sender.clone(),
        letter.message_id.clone(),
        times::short(letter.dead_time.as_ref()),
        delivery.attempts.to_string(),
        reason(lang, letter),
    ]
}

fn reason(lang: Lang, letter: &v1::DeadLetter) -> String {
    let cause = words::cause(letter.cause()).map(|cause| cause.text(lang).to_owned());
    let said = cause.into_iter().chain(Some(letter.reason.clone()).filter(|reason| !reason.is_empty()));
    said.collect::<Vec<_>>().join("; ")
}

impl Show {
    /// Shows.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.session.form);
        let found =
            self.session.connection.call(async |agency| agency.dead_letter(&self.delivery_id).await)?;
        let letter = found.dead_letter.unwrap_or_default();
        let envelope = found.envelope.unwrap_or_default();
        if out.is_json() {
            let mut object = json::dead_letter(&letter);
            object["envelope"] = json::envelope(&envelope);
            object["receipts"] = found.receipts.iter().map(json::receipt).collect();
            return out.object(&object);
        }
        let header = envelope.header.clone().unwrap_or_default();
        out.text(tables::facts(
            lang,
            [
                (Word::Delivery, self.delivery_id.clone()),
                (Word::Message, letter.message_id.clone()),
                (Word::Sender, letter.sender.clone()),
                (Word::Code, tables::code(&header)),
                (Word::Subject, header.subject.clone()),
                (Word::DeadSince, times::short(letter.dead_time.as_ref())),
                (Word::Reason, reason(lang, &letter)),
                (Word::ExpireTime, times::short(envelope.expire_time.as_ref())),
            ],
        ))?;
        out.text(tables::timeline(lang, &found.receipts, &self.delivery_id))
    }
}
