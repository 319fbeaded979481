//! The first half of a transaction: locks the accounts and reads all that a batch is about, in one round trip.

use std::collections::{BTreeSet, HashMap};

use futures_util::try_join;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;

use super::cells::{Cells, OrganRef};
use super::command::Command;
use super::fault::Fault;
use super::link::Link;
use super::names::Names;
use super::sheet::{Account, Known, Row, Sheet};
use super::targets::{self, Targets};
use super::transaction::Context;
use super::{bounded, lineage, receipts};
use crate::domain::delivery::DeliveryId;
use crate::domain::message::{Hash, MessageId};
use crate::domain::time::Timestamp;
use crate::ledger::{Acceptance, Accepted, AcceptedDelivery, MessageKey};

/// Begins the transaction, locks, and reads all that the batch is about, in one round trip.
pub(super) async fn read<'a>(
    link: &Link,
    context: &Context<'a>,
    batch: &'a [Command],
    targets: &Targets<'a>,
) -> Result<Sheet<'a>, Fault> {
    let ahead = Targets::deliveries(&targets.rows(link).await?)?;
    let wanted = Wanted::of(batch, context.names, &ahead, targets.changes)?;
    let (client, s) = (&link.client, &link.statements);
    let (messages, deliveries) = (wanted.acceptances.len() as i64, wanted.deliveries_new);
    // Parameters live as long as the futures that send them.
    let organs: Vec<OrganRef> = wanted.organs.union(&wanted.concerned).copied().collect();
    let lock: [&(dyn ToSql + Sync); 2] = [&organs, &wanted.strange];
    let known: [&(dyn ToSql + Sync); 2] = [&wanted.senders, &wanted.message_ids];
    let rows: [&(dyn ToSql + Sync); 1] = [&wanted.deliveries];
    let (keys, ids): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&messages], [&deliveries]);
    let (_, accounts, known, rows, keys, ids, found) = try_join!(
        client.batch_execute("BEGIN"),
        client.query(&s.lock, &lock),
        client.query(&s.known, &known),
        client.query(&s.deliveries, &rows),
        client.query(&s.message_keys, &keys),
        client.query(&s.delivery_ids, &ids),
        targets.rows(link),
    )?;
    if targets.changes > 0 {
        context.names.keep(&accounts)?;
    }
    let mut sheet = Sheet::blank(context);
    sheet.accounts = accounts.iter().map(account).collect::<Result<_, _>>()?;
    sheet.message_keys = numbers(&keys)?.map(MessageKey).collect();
    sheet.delivery_ids = numbers(&ids)?.map(DeliveryId).collect();
    wanted.check(&sheet)?;
    // One that became visible after the locks were taken is nobody's yet.
    let is_locked = |sheet: &Sheet<'_>, row: &Row| {
        sheet.accounts.contains_key(&row.sender) && sheet.accounts.contains_key(&row.recipient)
    };
    keep(&mut sheet, &rows, is_locked)?;
    targets.note(&found, &mut sheet)?;
    targets::read_requests(link, &mut sheet).await?;
    if !known.is_empty() {
        know(link, &mut sheet, &wanted, &known).await?;
    }
    if !wanted.reported.is_empty() {
        read_reports(link, &mut sheet, &wanted.reported).await?;
    }
    Ok(sheet)
}

/// Keeps those deliveries in the sheet that are wanted there.
pub(super) fn keep(
    sheet: &mut Sheet<'_>,
    rows: &[SqlRow],
    wanted: impl Fn(&Sheet<'_>, &Row) -> bool,
) -> Result<(), Fault> {
    for row in rows {
        let (id, row, last) = delivery(row)?;
        if wanted(sheet, &row) {
            sheet.last_receipts.insert(row.message, last);
            sheet.deliveries.insert(id, row);
        }
    }
    Ok(())
}

/// What a batch is about.
struct Wanted<'a> {
    acceptances: Vec<&'a Acceptance>,
    senders: Vec<OrganRef>,
    message_ids: Vec<&'a str>,
    /// Senders and recipients of the acceptances, those deliveries are redirected to, and those whose payloads go or are held.
    organs: BTreeSet<OrganRef>,
    /// Senders and recipients of those deliveries that are known here.
    concerned: BTreeSet<OrganRef>,
    /// Deliveries that are stepped, reported on or noted.
    deliveries: Vec<i64>,
    /// Those among them that are reported on.
    reported: Vec<i64>,
    /// Those of which it is not known between whom they are.
    strange: Vec<i64>,
    /// How many deliveries the acceptances and redirections make.
    deliveries_new: i64,
}

impl<'a> Wanted<'a> {
    /// `ahead` are the deliveries its changes were found to be about.
    fn of(batch: &'a [Command], names: &Names, ahead: &[i64], changes: usize) -> Result<Self, Fault> {
        let mut acceptances = Vec::new();
        let (mut organs, mut deliveries, mut reported) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let (mut senders, mut message_ids, mut deliveries_new) = (Vec::new(), Vec::new(), 0);
        for command in batch {
            match command {
                Command::Accept(batch, _) => acceptances.extend(batch),
                Command::Step(batch, _) => deliveries.extend(batch.iter().map(|r| bounded(r.delivery.0))),
                Command::Report(batch, _) => reported.extend(batch.iter().map(|r| bounded(r.delivery.0))),
                Command::NoteOverdue(batch, ..) => deliveries.extend(batch.iter().map(|id| bounded(id.0))),
                _ => {}
            }
        }
        let number = |organ| names.number(organ).ok_or(Fault::Unfamiliar);
        for successor in batch.iter().flat_map(Command::successors) {
            organs.insert(number(successor)?);
            deliveries_new += 1;
        }
        for custody in batch.iter().filter_map(Command::custody) {
            for organ in custody.organs() {
                organs.insert(number(organ)?);
            }
        }
        for new in &acceptances {
            let sender = number(&new.message.sender)?;
            organs.insert(sender);
            senders.push(sender);
            message_ids.push(new.message.message_id.as_str());
            deliveries_new += new.addressees.len() as i64;
            for addressee in &new.addressees {
                organs.insert(number(&addressee.recipient)?);
            }
        }
        deliveries.extend(&reported);
        deliveries.extend(ahead);
        let deliveries: Vec<i64> = deliveries.into_iter().collect();
        let (mut concerned, mut strange) = (BTreeSet::new(), Vec::new());
        for id in &deliveries {
            match names.facts.delivery(*id) {
                Some(facts) => concerned.extend([facts.sender, facts.recipient]),
                None => strange.push(*id),
            }
        }
        // A change goes to its addressees and to those it asks, each of whom is among those locked.
        let asked = changes * (organs.len() + concerned.len() + 2 * strange.len());
        deliveries_new += i64::try_from(asked).unwrap_or(i64::MAX);
        Ok(Self {
            acceptances,
            senders,
            message_ids,
            organs,
            concerned,
            deliveries,
            reported,
            strange,
            deliveries_new,
        })
    }

    /// Every organ has the number it is known by.
    fn check(&self, sheet: &Sheet<'_>) -> Result<(), Fault> {
        for organ in &self.organs {
            if sheet.account(*organ)?.id != sheet.names.name(*organ)? {
                return Err(Fault::Unfamiliar);
            }
        }
        Ok(())
    }
}

fn account(row: &SqlRow) -> Result<(OrganRef, Account), Fault> {
    let mut cells = Cells::of(row);
    let (organ, id, receipt_head) = (cells.plain()?, cells.organ()?, cells.number()?);
    let open_deliveries = cells.number()?;
    Ok((organ, Account { id, receipt_head, open_deliveries, was_head: receipt_head, changed: false }))
}

/// Numbers of a sequence, rising.
fn numbers(rows: &[SqlRow]) -> Result<impl Iterator<Item = u64>, Fault> {
    let mut numbers: Vec<u64> = rows.iter().map(|row| Cells::of(row).number()).collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    Ok(numbers.into_iter())
}

/// A delivery, and the number and the time of its message's last receipt.
fn delivery(row: &SqlRow) -> Result<(i64, Row, (u32, Timestamp)), Fault> {
    let mut cells = Cells::of(row);
    let id = cells.plain()?;
    let (message, sender, recipient) = (cells.key()?, cells.plain()?, cells.plain()?);
    let (addressed_to, addressed_ref) = (cells.organ_if_any()?, cells.plain()?);
    let (lane, payload_bytes, holder) = (cells.code()?, cells.number()?, cells.plain()?);
    let progress = cells.progress()?;
    let (alone, last) = (cells.plain()?, (cells.small()?, cells.time()?));
    let (status, origin) = (cells.code_if_any()?, cells.plain::<Option<i64>>()?);
    let (request, carries) = (cells.code_if_any()?, cells.code()?);
    let replaces = origin.map(|id| u64::try_from(id).map(DeliveryId)).transpose();
    let replaces = replaces.map_err(|_| Fault::Invalid("delivery"))?;
    let (was_ended_at, duty) = (cells.time_if_any()?, cells.duty()?);
    let row = Row {
        message,
        sender,
        recipient,
        addressed_to,
        addressed_ref,
        replaces,
        lane,
        payload_bytes,
        holder,
        progress,
        was: progress,
        alone,
        ended_at: None,
        was_ended_at,
        duty,
        status,
        was_status: status,
        request,
        was_request: request,
        carries,
        is_changed: false,
        is_noted: false,
    };
    Ok((id, row, last))
}

/// Reads what was reported of deliveries before, and what receipts say of their messages.
async fn read_reports(link: &Link, sheet: &mut Sheet<'_>, reported: &[i64]) -> Result<(), Fault> {
    let rows = link.client.query(&link.statements.reports, &[&reported]).await?;
    for receipt in receipts::receipts(&link.client, sheet.names, &rows).await? {
        let delivery = receipt.delivery.as_ref().ok_or(Fault::Invalid("delivery of a report"))?;
        sheet.reports.entry(bounded(delivery.id.0)).or_default().push(receipt);
    }
    let rows = reported.iter().filter_map(|id| sheet.deliveries.get(id));
    let messages: Vec<i64> = rows.map(|row| bounded(row.message.0)).collect();
    sheet.messages = sheet.names.facts.messages(&link.client, messages.into_iter()).await?;
    Ok(())
}

/// Reads what was answered to messages that have been accepted before.
async fn know<'a>(
    link: &Link,
    sheet: &mut Sheet<'a>,
    wanted: &Wanted<'a>,
    rows: &[SqlRow],
) -> Result<(), Fault> {
    let mut found: Vec<(usize, MessageKey, Hash)> = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Cells::of(row);
        found.push((cells.number()? as usize - 1, cells.key()?, cells.hash()?));
    }
    let keys: BTreeSet<i64> = found.iter().map(|(_, key, _)| bounded(key.0)).collect();
    let keys: Vec<i64> = keys.into_iter().collect();
    let (client, s) = (&link.client, &link.statements);
    let parameters: [&(dyn ToSql + Sync); 1] = [&keys];
    let (first, addresses) =
        try_join!(client.query(&s.first_receipts, &parameters), client.query(&s.addresses, &parameters))?;
    let first = receipts::receipts(client, sheet.names, &first).await?;
    let mut accepted: HashMap<MessageKey, Accepted> = HashMap::new();
    for (key, receipt) in keys.iter().zip(first) {
        let key = MessageKey(u64::try_from(*key).map_err(|_| Fault::Invalid("number"))?);
        accepted.insert(key, Accepted { receipt, deliveries: Vec::new(), changed: None, repeated: true });
    }
    for row in &addresses {
        let mut cells = Cells::of(row);
        let (key, id, recipient) = (cells.key()?, cells.delivery()?, cells.organ()?);
        let addressed_to = cells.organ_if_any()?;
        if let Some(accepted) = accepted.get_mut(&key) {
            accepted.deliveries.push(AcceptedDelivery { id, recipient, addressed_to });
        }
    }
    for (key, changed) in lineage::changed(client, sheet.names, &keys).await? {
        if let Some(accepted) = accepted.get_mut(&key) {
            accepted.changed = Some(Box::new(changed));
        }
    }
    for (place, key, content_hash) in found {
        let accepted = accepted.get(&key).cloned().ok_or(Fault::Invalid("receipt of a message"))?;
        let message_id: &'a MessageId = &wanted.acceptances[place].message.message_id;
        sheet.known.insert((wanted.senders[place], message_id), Known { content_hash, accepted });
    }
    Ok(())
}
