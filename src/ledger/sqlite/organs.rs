//! Organs as the tables know them: short numbers, and per organ the head of its log and its open deliveries.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension};

use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;

/// The number of an organ in the tables.
pub(super) type OrganRef = i64;

/// The organs of committed rows by number, as the readers met them. A number never changes its organ. Operators are few, and looked up.
#[derive(Debug, Default)]
pub(super) struct Names(RwLock<HashMap<OrganRef, OrganId>>);

impl Names {
    /// The organ behind a number.
    pub fn name(&self, db: &Connection, organ: OrganRef) -> rusqlite::Result<OrganId> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&organ).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        // organ.name
        let text: String =
            db.prepare_cached("SELECT id FROM organ WHERE ref = ?1")?.query_row([organ], |row| row.get(0))?;
        let id = parsed(&text)?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(organ, id.clone());
        Ok(id)
    }

    /// Who asserts a receipt, by what its column holds.
    pub fn asserter(&self, db: &Connection, number: Option<OrganRef>) -> rusqlite::Result<Asserter> {
        Ok(match number {
            None => Asserter::Gateway,
            // operator.name
            Some(number) if number < 0 => Asserter::Operator(
                db.prepare_cached("SELECT name FROM operator WHERE ref = ?1")?
                    .query_row([-number], |row| row.get(0))?,
            ),
            Some(number) => Asserter::Organ(self.name(db, number)?),
        })
    }
}

/// An operator's number, given now where it has none, as the column of asserters holds it: below zero.
pub(super) fn operator(db: &Connection, name: &str) -> rusqlite::Result<OrganRef> {
    // operator.enter
    db.prepare_cached("INSERT INTO operator (name) VALUES (?1) ON CONFLICT (name) DO NOTHING")?
        .execute([name])?;
    // operator.number
    let number: OrganRef =
        db.prepare_cached("SELECT ref FROM operator WHERE name = ?1")?.query_row([name], |row| row.get(0))?;
    Ok(-number)
}

/// The number of an organ that has sent or received anything.
pub(super) fn number(db: &Connection, organ: &OrganId) -> rusqlite::Result<Option<OrganRef>> {
    // organ.number
    db.prepare_cached("SELECT ref FROM organ WHERE id = ?1")?
        .query_row([organ.as_str()], |row| row.get(0))
        .optional()
}

/// How many open deliveries an organ's mailbox holds.
pub(super) fn open_deliveries(db: &Connection, organ: &OrganId) -> rusqlite::Result<u64> {
    // organ.open_deliveries
    let found = db
        .prepare_cached("SELECT open_deliveries FROM organ WHERE id = ?1")?
        .query_row([organ.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// An organ id out of a column.
pub(super) fn parsed(text: &str) -> rusqlite::Result<OrganId> {
    OrganId::parse(text).map_err(|why| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(why))
    })
}

/// What the writer knows of one organ.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub id: OrganId,
    pub receipt_head: u64,
    pub open_deliveries: u64,
    written_head: u64,
}

/// The writer's view of the organs: all of them in memory, written back once per commit.
#[derive(Debug)]
pub(super) struct Accounts {
    numbers: HashMap<OrganId, OrganRef>,
    accounts: HashMap<OrganRef, Account>,
    changed: HashSet<OrganRef>,
}

impl Accounts {
    /// Reads them all.
    pub fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut this = Self { numbers: HashMap::new(), accounts: HashMap::new(), changed: HashSet::new() };
        // organ.load
        let mut statement = db.prepare("SELECT ref, id, receipt_head, open_deliveries FROM organ")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number: OrganRef = row.get(0)?;
            let id = parsed(&row.get::<_, String>(1)?)?;
            this.numbers.insert(id.clone(), number);
            let receipt_head = row.get(2)?;
            let account =
                Account { id, receipt_head, open_deliveries: row.get(3)?, written_head: receipt_head };
            this.accounts.insert(number, account);
        }
        Ok(this)
    }

    /// The number of an organ, given now where it has none.
    pub fn number(&mut self, db: &Connection, organ: &OrganId) -> rusqlite::Result<OrganRef> {
        if let Some(known) = self.numbers.get(organ) {
            return Ok(*known);
        }
        // organ.insert
        db.prepare_cached("INSERT INTO organ (id) VALUES (?1)")?.execute([organ.as_str()])?;
        let number = db.last_insert_rowid();
        self.numbers.insert(organ.clone(), number);
        let account = Account { id: organ.clone(), receipt_head: 0, open_deliveries: 0, written_head: 0 };
        self.accounts.insert(number, account);
        Ok(number)
    }

    /// What is known of an organ.
    pub fn account(&self, organ: OrganRef) -> &Account {
        self.accounts
            .get(&organ)
            .expect("every number in the tables is an organ's, and all organs are loaded")
    }

    /// The same, to change it; it is written at the end of the commit.
    pub fn change(&mut self, organ: OrganRef) -> &mut Account {
        self.changed.insert(organ);
        self.accounts
            .get_mut(&organ)
            .expect("every number in the tables is an organ's, and all organs are loaded")
    }

    /// Writes what changed; gives the senders whose logs have grown, and their new heads.
    pub fn write_back(&mut self, db: &Connection) -> rusqlite::Result<Vec<(OrganId, u64)>> {
        let mut heads = Vec::new();
        // organ.write_back
        let mut statement =
            db.prepare_cached("UPDATE organ SET receipt_head = ?2, open_deliveries = ?3 WHERE ref = ?1")?;
        for organ in self.changed.drain() {
            let Some(account) = self.accounts.get_mut(&organ) else { continue };
            statement.execute((organ, account.receipt_head, account.open_deliveries))?;
            if account.receipt_head != account.written_head {
                account.written_head = account.receipt_head;
                heads.push((account.id.clone(), account.receipt_head));
            }
        }
        Ok(heads)
    }
}
