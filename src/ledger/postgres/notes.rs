//! What nodes tell each other after a commit, and what this node has heard and not yet passed on.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::Commit;

/// The channel of the notes.
pub(super) const CHANNEL: &str = "truc";

/// PostgreSQL takes notifications below 8,000 bytes.
const NOTE_BYTES_MAX: usize = 7_800;

/// Organs in a note on links: together shorter than that.
const LINKS_IN_NOTE: usize = 128;

/// What one note says: who says it, the earliest due time set, senders with new receipts and their last numbers, organs whose links have
/// changed.
#[derive(Debug, Default, PartialEq)]
struct Note {
    node: i64,
    due: Option<Timestamp>,
    heads: Vec<(OrganId, u64)>,
    links: Vec<OrganId>,
    /// Anything may have happened.
    all: bool,
}

/// The notes of one commit; none when it told of nothing others wait for.
pub(super) fn of_commit(node: i64, commit: &Commit) -> Vec<String> {
    if commit.receipt_heads.is_empty() && commit.due.is_none() && commit.links.is_empty() {
        return Vec::new();
    }
    let due = commit.due.map(|due| due.as_micros().to_string()).unwrap_or_default();
    let mut notes = vec![format!("{node};{due};")];
    for (organ, head) in &commit.receipt_heads {
        if notes.last().is_none_or(|note| note.len() > NOTE_BYTES_MAX) {
            notes.push(format!("{node};;"));
        }
        if let Some(note) = notes.last_mut() {
            // Writing to a text does not fail.
            let _written = write!(note, "{}={head},", organ.as_str());
        }
    }
    for organs in commit.links.chunks(LINKS_IN_NOTE) {
        let organs: Vec<_> = organs.iter().map(OrganId::as_str).collect();
        notes.push(format!("{node};;;{}", organs.join(",")));
    }
    notes
}

/// The note that anything may have happened.
pub(super) fn of_anything(node: i64) -> String {
    format!("{node};;*")
}

/// Reads a note. One that cannot be understood was written by a later version: anything may have happened.
fn read(text: &str) -> Note {
    let unknown = || Note { all: true, ..Note::default() };
    let mut parts = text.split(';');
    let (Some(node), Some(due), Some(heads)) = (parts.next(), parts.next(), parts.next()) else {
        return unknown();
    };
    let Ok(node) = node.parse() else { return unknown() };
    let due = due.parse().ok().map(Timestamp::from_micros);
    if heads == "*" {
        return Note { node, due, all: true, ..Note::default() };
    }
    let heads: Option<Vec<_>> = heads
        .split_terminator(',')
        .map(|entry| {
            let (organ, head) = entry.split_once('=')?;
            Some((OrganId::parse(organ).ok()?, head.parse().ok()?))
        })
        .collect();
    let links =
        parts.next().unwrap_or_default().split_terminator(',').map(|organ| OrganId::parse(organ).ok());
    match (heads, links.collect()) {
        (Some(heads), Some(links)) => Note { node, due, heads, links, all: false },
        _ => Note { node, ..unknown() },
    }
}

/// What was heard and not yet passed on. However much it is, it holds one number an organ.
#[derive(Debug, Default)]
pub(super) struct Heard {
    gathered: Mutex<Gathered>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Gathered {
    heads: HashMap<OrganId, u64>,
    due: Option<Timestamp>,
    links: BTreeSet<OrganId>,
    missed: bool,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another node's note; this node's own are nothing new.
    pub fn note(&self, text: &str, this_node: i64) {
        let note = read(text);
        if note.node == this_node {
            return;
        }
        let mut gathered = self.lock();
        for (organ, head) in note.heads {
            let known = gathered.heads.entry(organ).or_default();
            *known = head.max(*known);
        }
        gathered.due = [gathered.due, note.due].into_iter().flatten().min();
        gathered.links.extend(note.links);
        gathered.missed |= note.all;
        drop(gathered);
        self.more.notify_one();
    }

    /// Something may have happened that no note told of.
    pub fn missed(&self) {
        self.lock().missed = true;
        self.more.notify_one();
    }

    /// All that was heard since it was last asked, as if it were one commit. Waits for something.
    pub async fn next(&self) -> Commit {
        self.more.notified().await;
        let Gathered { heads, due, links, missed } = std::mem::take(&mut *self.lock());
        let (receipt_heads, links) = (heads.into_iter().collect(), links.into_iter().collect());
        Commit { ready: Vec::new(), receipt_heads, due, links, missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organ(n: usize) -> OrganId {
        OrganId::parse(&format!("H57.{n}")).unwrap()
    }

    #[test]
    fn notes_say_what_the_commit_did_in_pieces_that_are_taken() {
        let heads: Vec<_> = (0..3_400).map(|n| (organ(n), n as u64 + 1)).collect();
        let commit = Commit {
            receipt_heads: heads.clone(),
            due: Some(Timestamp::from_micros(77)),
            links: (0..300).map(organ).collect(),
            ..Commit::default()
        };
        let notes = of_commit(5, &commit);
        assert!(notes.len() > 1 && notes.iter().all(|note| note.len() < 8_000));
        let notes: Vec<_> = notes.iter().map(|note| read(note)).collect();
        assert!(notes.iter().all(|note| note.node == 5 && !note.all));
        assert_eq!(notes[0].due, commit.due);
        assert_eq!(notes.iter().flat_map(|note| note.links.clone()).collect::<Vec<_>>(), commit.links);
        assert_eq!(notes.into_iter().flat_map(|note| note.heads).collect::<Vec<_>>(), heads);
        assert_eq!(of_commit(5, &Commit::default()), [""; 0]);
    }

    #[tokio::test]
    async fn what_was_heard_is_passed_on_as_one() {
        let heard = Heard::default();
        heard.note("7;500;H57.1=3,", 7);
        heard.note("8;900;H57.1=5,H57.2=1,", 7);
        heard.note("9;800;H57.1=4,", 7);
        heard.note("9;;;H57.3,H57.4", 7);
        let mut commit = heard.next().await;
        commit.receipt_heads.sort();
        assert_eq!(commit.receipt_heads, [(organ(1), 5), (organ(2), 1)]);
        assert_eq!(commit.links, [organ(3), organ(4)]);
        assert_eq!((commit.due, commit.missed), (Some(Timestamp::from_micros(800)), false));
        for strange in ["", "8;;*", "8;;H57.1", "x;;"] {
            heard.note(strange, 7);
            assert!(heard.next().await.missed, "{strange:?}");
        }
    }
}
