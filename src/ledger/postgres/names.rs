//! Organs' short numbers and their ids, as this node has met them. A number never changes its organ. Beside them, what else never
//! changes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use tokio_postgres::Client;

use super::cells::{Cells, OrganRef};
use super::facts::Facts;
use super::fault::Fault;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;

/// What is known of the organs. Of committed rows only, so that whoever reads may use it.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: RwLock<Known>,
    /// Of messages and deliveries.
    pub(super) facts: Facts,
}

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<OrganRef, OrganId>,
    numbers: HashMap<OrganId, OrganRef>,
    // By their numbers below zero.
    operators: HashMap<OrganRef, String>,
}

impl Names {
    /// The id of a number that was learned.
    pub fn name(&self, organ: OrganRef) -> Result<OrganId, Fault> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.ids.get(&organ).cloned().ok_or(Fault::Unfamiliar)
    }

    /// The number of an organ that was learned.
    pub fn number(&self, organ: &OrganId) -> Option<OrganRef> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).numbers.get(organ).copied()
    }

    /// Who asserts a receipt, by a number that was learned; an operator's is below zero.
    pub fn asserter(&self, number: Option<OrganRef>) -> Result<Asserter, Fault> {
        match number {
            None => Ok(Asserter::Gateway),
            Some(organ) if organ >= 0 => self.name(organ).map(Asserter::Organ),
            Some(operator) => {
                let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
                known.operators.get(&operator).cloned().map(Asserter::Operator).ok_or(Fault::Unfamiliar)
            }
        }
    }

    /// The number of an operator that was learned, below zero.
    pub fn operator(&self, name: &str) -> Option<OrganRef> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.operators.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
    }

    /// Forgets all: another server may have been given other numbers.
    pub fn forget(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
        self.facts.forget();
    }

    /// Learns the ids of these numbers, where they are not known, and the names of those below zero.
    pub async fn learn(
        &self,
        client: &Client,
        organs: impl IntoIterator<Item = OrganRef>,
    ) -> Result<(), Fault> {
        let unknown: BTreeSet<OrganRef> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let is_unknown = |number: &OrganRef| match *number < 0 {
                true => !known.operators.contains_key(number),
                false => !known.ids.contains_key(number),
            };
            organs.into_iter().filter(is_unknown).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let (operators, unknown): (Vec<OrganRef>, Vec<_>) =
            unknown.into_iter().partition(|number| *number < 0);
        self.learn_operators(client, operators).await?;
        if unknown.is_empty() {
            return Ok(());
        }
        // organ.learn
        let found = client.query("SELECT ref, id FROM organ WHERE ref = ANY($1)", &[&unknown]).await?;
        self.keep(&found)
    }

    async fn learn_operators(&self, client: &Client, operators: Vec<OrganRef>) -> Result<(), Fault> {
        if operators.is_empty() {
            return Ok(());
        }
        // operator.learn
        let sql = "SELECT -ref, name FROM operator WHERE -ref = ANY($1)";
        self.keep_operators(&client.query(sql, &[&operators]).await?)
    }

    /// Learns the numbers of these operators, giving them one where they have none.
    pub async fn enter_operators(&self, client: &Client, operators: BTreeSet<&str>) -> Result<(), Fault> {
        let unknown: Vec<&str> = operators.into_iter().filter(|name| self.operator(name).is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        // operator.enter
        let sql =
            "INSERT INTO operator (name) SELECT name FROM unnest($1::text[]) AS new (name) ORDER BY name
                   ON CONFLICT (name) DO NOTHING";
        client.execute(sql, &[&unknown]).await?;
        // operator.find
        let sql = "SELECT -ref, name FROM operator WHERE name = ANY($1)";
        self.keep_operators(&client.query(sql, &[&unknown]).await?)
    }

    fn keep_operators(&self, rows: &[tokio_postgres::Row]) -> Result<(), Fault> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let mut cells = Cells::of(row);
            known.operators.insert(cells.plain()?, cells.plain()?);
        }
        Ok(())
    }

    /// Learns the numbers of these organs, giving them one where they have none.
    pub async fn enter(&self, client: &Client, organs: BTreeSet<&OrganId>) -> Result<(), Fault> {
        let unknown = self.unknown(organs);
        if unknown.is_empty() {
            return Ok(());
        }
        self.find(client, &unknown).await?;
        let unknown = self.unknown(unknown);
        if unknown.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = unknown.iter().map(|organ| organ.as_str()).collect();
        // organ.enter: in the order of the ids, so that nodes that meet the same ones at once wait in one direction
        client
            .execute(
                "INSERT INTO organ (id) SELECT id FROM unnest($1::text[]) AS new (id) ORDER BY id
                 ON CONFLICT (id) DO NOTHING",
                &[&ids],
            )
            .await?;
        self.find(client, &unknown).await
    }

    fn unknown<'a>(&self, organs: impl IntoIterator<Item = &'a OrganId>) -> Vec<&'a OrganId> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        organs.into_iter().filter(|organ| !known.numbers.contains_key(*organ)).collect()
    }

    async fn find(&self, client: &Client, organs: &[&OrganId]) -> Result<(), Fault> {
        let ids: Vec<_> = organs.iter().map(|organ| organ.as_str()).collect();
        // organ.find
        let found = client.query("SELECT ref, id FROM organ WHERE id = ANY($1)", &[&ids]).await?;
        self.keep(&found)
    }

    /// Keeps the organs of these rows, which begin with number and id.
    pub fn keep(&self, rows: &[tokio_postgres::Row]) -> Result<(), Fault> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let mut cells = Cells::of(row);
            let (number, id) = (cells.plain()?, cells.organ()?);
            known.ids.insert(number, id.clone());
            known.numbers.insert(id, number);
        }
        Ok(())
    }
}
