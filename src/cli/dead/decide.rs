//! `truc dead replay` and `truc dead discard`.

use clap::Args;

use super::Filter;
use crate::cli::connection::Session;
use crate::cli::exit::Exit;
use crate::cli::out::Out;
use crate::cli::words::{self, Lang, Word};
use crate::cli::{json, tables};
use crate::client::CallError;
use crate::proto::v1;

/// Send dead letters on their way again / Giao lại
///
/// Those named, or with --organ, --cause or --all as many as there are. Each gets as many attempts as a new one, until its deadline.
#[derive(Debug, Args)]
pub struct Replay {
    /// Why, for the sender
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    chosen: Chosen,
}

/// Give dead letters up / Hủy bỏ
///
/// Those named, or with --organ, --cause or --all as many as there are. Each ends as cancelled, and the sender is told the reason.
#[derive(Debug, Args)]
pub struct Discard {
    /// Why, for the sender
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    chosen: Chosen,
}

/// Which, and how.
#[derive(Debug, Args)]
struct Chosen {
    /// Deliveries, from the list
    #[arg(value_name = "DELIVERY_ID", required_unless_present_any = ["organ", "cause", "all"])]
    deliveries: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// All there are
    #[arg(long, conflicts_with_all = ["deliveries", "organ", "cause"])]
    all: bool,
    /// Without deliveries named: how many at most, 1 to 10,000
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    session: Session,
}

impl Replay {
    /// Replays.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let session = self.chosen.session;
        let (delivery_ids, filter) = chosen(self.chosen.deliveries, self.chosen.filter)?;
        let reason = self.reason.unwrap_or_default();
        let max_deliveries = self.chosen.limit;
        let request = v1::ReplayDeadLettersRequest { delivery_ids, filter, max_deliveries, reason };
        let answer = session.connection.call(async |agency| agency.replay(request).await)?;
        show(Out::new(lang, session.form), &answer.results, answer.more)
    }
}

impl Discard {
    /// Discards.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let session = self.chosen.session;
        let (delivery_ids, filter) = chosen(self.chosen.deliveries, self.chosen.filter)?;
        let (reason, max_deliveries) = (self.reason, self.chosen.limit);
        let request = v1::DiscardDeadLettersRequest { delivery_ids, filter, max_deliveries, reason };
        let answer = session.connection.call(async |agency| agency.discard(request).await)?;
        show(Out::new(lang, session.form), &answer.results, answer.more)
    }
}

/// The deliveries, or else the filter.
fn chosen(
    deliveries: Vec<String>,
    filter: Filter,
) -> Result<(Vec<String>, Option<v1::DeadLetterFilter>), Exit> {
    match (deliveries.is_empty(), filter.is_given()) {
        (true, _) => Ok((deliveries, Some(filter.written()))),
        (false, false) => Ok((deliveries, None)),
        (false, true) => Err(Exit::usage("name deliveries, or choose by --organ and --cause, not both")),
    }
}

fn show(mut out: Out, results: &[v1::DeadLetterResult], more: bool) -> Result<(), Exit> {
    let lang = out.lang();
    let mut table = tables::framed(lang, &[Word::Delivery, Word::State, Word::Reason]);
    let mut refused = 0;
    for result in results {
        out.object(&json::dead_letter_result(result))?;
        let why = result.refusal.as_ref().map(|refusal| CallError::from(refusal).to_string());
        refused += usize::from(why.is_some());
        let state = match why {
            Some(_) => String::new(),
            None => words::state(result.state()).text(lang).to_owned(),
        };
        table.add_row([result.delivery_id.clone(), state, why.unwrap_or_default()]);
    }
    out.text(table)?;
    if more {
        out.note(Word::MoreDead.text(lang));
    }
    match refused {
        0 => Ok(()),
        _ => Err(Exit::Failed(format!("{refused} of {} were refused", results.len()))),
    }
}
