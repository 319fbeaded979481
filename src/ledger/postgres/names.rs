//! Organs' short numbers and their ids, as this node has met them. A number never changes its organ. Beside them, what else never
//! changes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use tokio_postgres::Client;

use super::cells::{Cells, OrganRef};
use super::facts::Facts;
use super::fault::Fault;
use crate::domain::organ_id::OrganId;

/// What is known of the organs. Of committed rows only, so that whoever reads may use it.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: RwLock<Known>,
    /// Of messages and deliveries.
    pub facts: Facts,
}

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<OrganRef, OrganId>,
    numbers: HashMap<OrganId, OrganRef>,
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

    /// Forgets all: another server may have been given other numbers.
    pub fn forget(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
        self.facts.forget();
    }

    /// Learns the ids of these numbers, where they are not known.
    pub async fn learn(
        &self,
        client: &Client,
        organs: impl IntoIterator<Item = OrganRef>,
    ) -> Result<(), Fault> {
        let unknown: BTreeSet<OrganRef> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            organs.into_iter().filter(|organ| !known.ids.contains_key(organ)).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        // organ.learn
        let found = client.query("SELECT ref, id FROM organ WHERE ref = ANY($1)", &[&unknown]).await?;
        self.keep(&found)
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
