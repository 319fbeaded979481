//! The tables of the program.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::out::Out;
use super::words::{self, Lang, Word};
use super::{exit::Exit, times};
use crate::proto::v1;

/// A table with a frame.
pub fn framed(lang: Lang, heads: &[Word]) -> Table {
    let mut table = bare();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(heads.iter().map(|head| head.text(lang)));
    table
}

/// Names and values below each other; those without a value are left out.
pub fn facts<const N: usize>(lang: Lang, facts: [(Word, String); N]) -> String {
    let mut table = bare();
    let given = facts.into_iter().filter(|(_, value)| !value.is_empty());
    table.add_rows(given.map(|(name, value)| [name.text(lang).to_owned(), value]));
    table.trim_fmt()
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// What happened to one delivery, the acceptance of its message first.
pub fn timeline(lang: Lang, receipts: &[v1::Receipt], delivery_id: &str) -> Table {
    let heads = [Word::Sequence, Word::Time, Word::Event, Word::Organs, Word::AssertedBy, Word::Reason];
    let mut table = framed(lang, &heads);
    let its = |receipt: &&v1::Receipt| receipt.delivery_id.is_empty() || receipt.delivery_id == delivery_id;
    for receipt in receipts.iter().filter(its) {
        table.add_row([
            receipt.message_sequence.to_string(),
            times::short(receipt.time.as_ref()),
            event(lang, receipt),
            organs(receipt),
            asserter(lang, receipt),
            reason(lang, receipt),
        ]);
    }
    table
}

/// What happened: the rung, or the business status.
pub fn event(lang: Lang, receipt: &v1::Receipt) -> String {
    match receipt.kind() {
        v1::ReceiptKind::Status => words::status_text(receipt.status(), lang),
        v1::ReceiptKind::Requested => {
            let asked = words::message_kind(receipt.asked(), lang);
            format!("{}: {asked}", words::kind(receipt.kind()).text(lang))
        }
        kind => words::kind(kind).text(lang).to_owned(),
    }
}

/// The organs a receipt is about.
pub fn organs(receipt: &v1::Receipt) -> String {
    match (receipt.recipient.as_str(), receipt.kind(), receipt.addressed_to.as_str()) {
        ("", _, _) => receipt.sender.clone(),
        (recipient, v1::ReceiptKind::Redirected, addressed_to) => format!("{addressed_to} → {recipient}"),
        (recipient, _, _) => recipient.to_owned(),
    }
}

/// Who asserts a receipt.
pub fn asserter(lang: Lang, receipt: &v1::Receipt) -> String {
    match receipt.asserted_by.as_str() {
        "gateway" => Word::Gateway.text(lang).to_owned(),
        organ => organ.to_owned(),
    }
}

/// Why, and when again, as far as a receipt says.
pub fn reason(lang: Lang, receipt: &v1::Receipt) -> String {
    let mut said = Vec::new();
    said.extend(words::cause(receipt.cause()).map(|cause| cause.text(lang).to_owned()));
    if !receipt.reason.is_empty() {
        said.push(receipt.reason.clone());
    }
    if receipt.retry_time.is_some() {
        let again = Word::NextAttempt.text(lang);
        said.push(format!("{again} {}", times::short(receipt.retry_time.as_ref())));
    }
    said.join("; ")
}

/// What a change did to the deliveries of earlier messages.
pub fn changed(lang: Lang, changed: &[v1::ChangedDelivery]) -> Table {
    let heads =
        [Word::Message, Word::Delivery, Word::Recipient, Word::AddressedTo, Word::Asked, Word::Effect];
    let mut table = framed(lang, &heads);
    for one in changed {
        table.add_row([
            one.message_id.clone(),
            one.delivery_id.clone(),
            one.recipient.clone(),
            one.addressed_to.clone(),
            words::message_kind(one.asked(), lang),
            words::effect(one).text(lang).to_owned(),
        ]);
    }
    table
}

/// A chain of changes, one line a message.
pub fn lineage(lang: Lang, links: &[v1::LineageLink]) -> Table {
    let heads = [Word::AcceptTime, Word::Message, Word::Kind, Word::Changes, Word::Effect];
    let mut table = framed(lang, &heads);
    for link in links {
        let effects = link.changed.iter().map(|one| {
            let effect = words::effect(one).text(lang);
            format!("{} ({}): {effect}", one.recipient, one.delivery_id)
        });
        table.add_row([
            times::short(link.accept_time.as_ref()),
            link.message_id.clone(),
            words::message_kind(link.kind(), lang),
            link.changes_message_ids.join(", "),
            effects.collect::<Vec<_>>().join("\n"),
        ]);
    }
    table
}

/// Where deliveries stand.
pub fn deliveries(lang: Lang, statuses: &[v1::DeliveryStatus]) -> Table {
    let heads = [
        Word::Delivery,
        Word::Recipient,
        Word::AddressedTo,
        Word::State,
        Word::Attempts,
        Word::DueTime,
        Word::BusinessStatus,
        Word::AcknowledgeBy,
        Word::OverdueTime,
    ];
    let mut table = framed(lang, &heads);
    for status in statuses {
        let mut state = words::state(status.state()).text(lang).to_owned();
        let mut due = status.due_time.as_ref();
        if let Some(outage) = &status.push_outage {
            let cause = words::cause(outage.cause()).map_or("", |cause| cause.text(lang));
            state.push_str(&format!("; {cause}"));
            due = outage.next_attempt_time.as_ref().or(due);
        }
        table.add_row([
            status.delivery_id.clone(),
            status.recipient.clone(),
            status.addressed_to.clone(),
            state,
            status.attempts.to_string(),
            times::short(due),
            words::status_text(status.status(), lang),
            times::short(status.acknowledge_due_time.as_ref()),
            times::short(status.overdue_time.as_ref()),
        ]);
    }
    table
}

/// The number and notation of a header, `7816/VPCP-TTĐT`.
pub fn code(header: &v1::DocumentHeader) -> String {
    header.code.as_ref().map(|code| format!("{}/{}", code.number, code.notation)).unwrap_or_default()
}

/// Rows that come one after another, below heads that are written once.
pub struct Rows {
    // Each with the least width of its column.
    columns: &'static [(Word, u16)],
    is_headed: bool,
}

impl Rows {
    /// Rows of these columns.
    pub fn new(columns: &'static [(Word, u16)]) -> Self {
        Self { columns, is_headed: false }
    }

    /// Writes a row.
    pub fn write(&mut self, out: &mut Out, row: Vec<String>) -> Result<(), Exit> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if !self.is_headed {
            self.is_headed = true;
            table.add_row(self.columns.iter().map(|(head, _)| out.word(*head)));
        }
        table.add_row(row);
        let least =
            self.columns.iter().map(|(_, width)| ColumnConstraint::LowerBoundary(Width::Fixed(*width)));
        table.set_constraints(least);
        out.text(table.trim_fmt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_of_one_delivery_and_its_message() {
        let receipt = |sequence, kind: v1::ReceiptKind, delivery: &str, addressed: &str| v1::Receipt {
            message_sequence: sequence,
            kind: kind.into(),
            sender: "G22".into(),
            delivery_id: delivery.into(),
            recipient: if delivery.is_empty() { String::new() } else { "H05".into() },
            addressed_to: addressed.into(),
            asserted_by: "gateway".into(),
            ..Default::default()
        };
        let receipts = [
            receipt(1, v1::ReceiptKind::Accepted, "", ""),
            receipt(2, v1::ReceiptKind::Redirected, "d2", "H02"),
            receipt(3, v1::ReceiptKind::Offered, "d1", ""),
        ];
        let text = timeline(Lang::Vi, &receipts, "d2").to_string();
        assert!(text.contains("đã tiếp nhận lên trục") && text.contains("H02 → H05"), "{text}");
        assert!(!text.contains("đã đưa tới nơi nhận"), "{text}");
        assert_eq!(timeline(Lang::En, &receipts, "d1").row_count(), 2);
    }
}
