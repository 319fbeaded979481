//! Checks what rows say of each other: no id twice, every successor there, no successor leading back.

use std::collections::HashMap;

use super::error::{Error, Why};
use super::load::{Place, Row};
use super::organ::Organ;
use crate::domain::organ_id::OrganId;

/// Organs in the order of their ids, and the place of each id among them.
pub(super) struct Linked {
    pub(super) organs: Box<[Organ]>,
    pub(super) by_id: HashMap<OrganId, u32>,
}

/// Puts rows in order and ties them to each other.
pub(super) fn link(mut rows: Vec<Row>) -> Result<Linked, Error> {
    rows.sort_by(|a, b| a.organ.id.cmp(&b.organ.id));
    refuse_duplicates(&rows)?;
    let by_id: HashMap<OrganId, u32> =
        rows.iter().zip(0..).map(|(row, index)| (row.organ.id.clone(), index)).collect();
    share_ids(&mut rows, &by_id)?;
    let (organs, places): (Vec<Organ>, Vec<Place>) =
        rows.into_iter().map(|row| (row.organ, row.place)).unzip();
    if let Some(cycle) = cycle(&organs, &by_id) {
        let place = &places[cycle[0]];
        let ids = cycle.iter().chain([&cycle[0]]).map(|index| organs[*index].id.clone()).collect();
        return Err(place.error("successors", Why::SuccessorCycle(ids)));
    }
    Ok(Linked { organs: organs.into(), by_id })
}

fn refuse_duplicates(rows: &[Row]) -> Result<(), Error> {
    for pair in rows.windows(2) {
        if pair[0].organ.id == pair[1].organ.id {
            let first = &pair[0].place;
            let why = Why::DuplicateOrgan {
                id: pair[0].organ.id.clone(),
                file: first.file.to_string(),
                line: first.line,
            };
            return Err(pair[1].place.error("organ_id", why));
        }
    }
    Ok(())
}

/// Makes every organ another names the very id of its organ, so that the text is held once.
fn share_ids(rows: &mut [Row], by_id: &HashMap<OrganId, u32>) -> Result<(), Error> {
    for row in rows {
        for successor in &mut row.organ.successors {
            let Some((shared, _)) = by_id.get_key_value(successor) else {
                return Err(row.place.error("successors", Why::UnknownSuccessor(successor.clone())));
            };
            *successor = shared.clone();
        }
        for binding in &mut row.organ.certificates {
            let Some((shared, _)) = by_id.get_key_value(&binding.organ) else {
                return Err(row.place.error("certificates", Why::UnknownOrgan(binding.organ.clone())));
            };
            binding.organ = shared.clone();
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    Not,
    OnTheWay,
    Done,
}

/// The places of organs whose successors lead round in a circle, if there are any.
fn cycle(organs: &[Organ], by_id: &HashMap<OrganId, u32>) -> Option<Vec<usize>> {
    let mut visits = vec![Visit::Not; organs.len()];
    for start in 0..organs.len() {
        let mut way = vec![(start, 0)];
        while let Some((at, next)) = way.last_mut() {
            let (at, branch) = (*at, *next);
            *next += 1;
            if branch == 0 && visits[at] == Visit::Done {
                way.pop();
                continue;
            }
            visits[at] = Visit::OnTheWay;
            let Some(successor) = organs[at].successors.get(branch) else {
                visits[at] = Visit::Done;
                way.pop();
                continue;
            };
            let to = by_id[successor] as usize;
            if visits[to] == Visit::OnTheWay {
                return Some(way.iter().map(|(at, _)| *at).skip_while(|at| *at != to).collect());
            }
            way.push((to, 0));
        }
    }
    None
}
