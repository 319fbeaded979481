//! What the changes of a batch are about: looked up ahead, to know whose accounts to lock, and again under the locks.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row as SqlRow};

use super::cells::{Cells, OrganRef};
use super::change::{Behind, Carried};
use super::command::Command;
use super::fault::Fault;
use super::link::Link;
use super::names::Names;
use super::read;
use super::sheet::Sheet;
use crate::domain::change::{DocumentRef, Effect};
use crate::domain::delivery::State;
use crate::ledger::About;
use crate::ledger::changes::Carries;

/// The earlier messages the changes of a batch name.
#[derive(Debug, Default)]
pub(super) struct Targets<'a> {
    senders: Vec<OrganRef>,
    message_ids: Vec<Option<&'a str>>,
    document_ids: Vec<Option<&'a str>>,
    named: Vec<&'a DocumentRef>,
    /// How many changes there are.
    pub changes: usize,
}

impl<'a> Targets<'a> {
    pub fn of(batch: &'a [Command], names: &Names) -> Result<Self, Fault> {
        let mut targets = Self::default();
        for command in batch {
            let Command::Accept(batch, _) = command else { continue };
            for (new, change) in batch.iter().filter_map(|new| Some((new, new.change.as_deref()?))) {
                let sender = names.number(&new.message.sender).ok_or(Fault::Unfamiliar)?;
                targets.changes += 1;
                change.targets.iter().for_each(|target| targets.push(sender, &target.document));
            }
        }
        Ok(targets)
    }

    fn push(&mut self, sender: OrganRef, document: &'a DocumentRef) {
        let (message_id, document_id) = match document {
            DocumentRef::Message(id) => (Some(id.as_str()), None),
            DocumentRef::Document(id) => (None, Some(id.as_str())),
        };
        self.senders.push(sender);
        self.message_ids.push(message_id);
        self.document_ids.push(document_id);
        self.named.push(document);
    }

    /// The messages named and their deliveries, as rows.
    pub async fn rows(&self, link: &Link) -> Result<Vec<SqlRow>, tokio_postgres::Error> {
        if self.changes == 0 {
            return Ok(Vec::new());
        }
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.senders, &self.message_ids, &self.document_ids];
        link.client.query(&link.statements.targets, &parameters).await
    }

    /// The deliveries in these rows.
    pub fn deliveries(rows: &[SqlRow]) -> Result<Vec<i64>, Fault> {
        let ids: Result<Vec<Option<i64>>, _> = rows.iter().map(|row| row.try_get(3)).collect();
        Ok(ids?.into_iter().flatten().collect())
    }

    /// Notes the rows read under the locks; each delivery in them must have been locked and read.
    pub fn note(&self, rows: &[SqlRow], sheet: &mut Sheet<'_>) -> Result<(), Fault> {
        sheet.changes.any = self.changes > 0;
        for row in rows {
            let mut cells = Cells::of(row);
            let (place, key, message_id) = (cells.number()? as usize - 1, cells.key()?, cells.message_id()?);
            let named = (self.senders[place], self.named[place].clone());
            let known = sheet.changes.targets.entry(named).or_default();
            if !known.iter().any(|(other, _)| *other == key) {
                known.push((key, message_id));
            }
            let Some(id) = cells.plain::<Option<i64>>()? else { continue };
            if !sheet.deliveries.contains_key(&id) {
                return Err(Fault::Unfamiliar);
            }
            let deliveries = sheet.changes.deliveries.entry(key).or_default();
            if !deliveries.contains(&id) {
                deliveries.push(id);
            }
        }
        Ok(())
    }
}

/// Reads what is asked about the deliveries of a batch, and what those of them carry that are of changes.
pub(super) async fn read_requests(link: &Link, sheet: &mut Sheet<'_>) -> Result<(), Fault> {
    let carriers = sheet.deliveries.iter().filter(|(_, row)| row.carries != Carries::Message);
    let carriers: Vec<i64> = carriers.map(|(id, _)| *id).collect();
    if !carriers.is_empty() {
        let rows = link.client.query(&link.statements.carried, &[&carriers]).await?;
        let unread = carried(sheet, &rows)?;
        if !unread.is_empty() {
            let rows = link.client.query(&link.statements.deliveries, &[&unread]).await?;
            read::keep(sheet, &rows, |sheet, row| sheet.accounts.contains_key(&row.sender))?;
        }
    }
    let any = sheet.changes.any;
    let asked = sheet
        .deliveries
        .iter()
        .filter(|(_, row)| row.request.is_some() || (any && row.progress.state == State::Cancelled));
    let asked: Vec<i64> = asked.map(|(id, _)| *id).collect();
    match asked.is_empty() {
        true => Ok(()),
        false => effects(&link.client, link, sheet, &asked).await,
    }
}

/// Gives the deliveries that are asked about and were not read.
fn carried(sheet: &mut Sheet<'_>, rows: &[SqlRow]) -> Result<Vec<i64>, Fault> {
    let mut unread = Vec::new();
    for row in rows {
        let mut cells = Cells::of(row);
        let (carrier, delivery) = (cells.plain::<i64>()?, cells.delivery()?);
        let about = About {
            delivery,
            message_id: cells.message_id()?,
            document_id: cells.plain()?,
            asked: cells.code()?,
        };
        let is_open = cells.plain()?;
        let id = super::bounded(delivery.0);
        if is_open && !sheet.deliveries.contains_key(&id) && !unread.contains(&id) {
            unread.push(id);
        }
        sheet.changes.carried.entry(carrier).or_default().push(Carried { about, is_open });
    }
    Ok(unread)
}

async fn effects(client: &Client, link: &Link, sheet: &mut Sheet<'_>, asked: &[i64]) -> Result<(), Fault> {
    for row in &client.query(&link.statements.effects, &[&asked]).await? {
        let mut cells = Cells::of(row);
        let (delivery, effect) = (cells.plain::<i64>()?, cells.code::<Effect>()?);
        let (key, message_id, asked) = (cells.key()?, cells.message_id()?, cells.code()?);
        let told = cells.organ_if_any()?;
        match effect {
            Effect::Asked => {
                let behind = Behind { key, message_id, asked, told };
                sheet.changes.open.insert(delivery, behind);
            }
            Effect::Cancelled | Effect::Nothing => {
                sheet.changes.superseded.insert(delivery, message_id);
            }
        }
    }
    Ok(())
}
