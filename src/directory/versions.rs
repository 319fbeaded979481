//! Versions of the directory, and what changed from one to another: for those who follow it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{Directory, Organ, write};
use crate::domain::message::Hash;
use crate::domain::organ_id::OrganId;

/// Versions kept, so that who knows one of them is told the differences alone.
const KEPT_MAX: usize = 8;

/// The last versions of a directory. A version is known by its content: it is the same on every node and after a restart.
#[derive(Debug)]
pub struct Versions {
    kept: Mutex<VecDeque<(Hash, Arc<Directory>)>>,
    newest: watch::Sender<Hash>,
}

/// What brings somebody up to a version.
#[derive(Debug)]
pub struct Changes {
    /// The version.
    pub version: Hash,
    /// All there is; what was known before is to be forgotten.
    pub complete: bool,
    /// New and changed organs, in the order of their ids.
    pub organs: Vec<Organ>,
    /// Organs that are no longer in the directory.
    pub removed: Vec<OrganId>,
}

impl Versions {
    /// With one version.
    pub fn new(directory: Arc<Directory>) -> Self {
        let version = version(&directory);
        Self { kept: Mutex::new(VecDeque::from([(version, directory)])), newest: watch::channel(version).0 }
    }

    /// There is another version, if it differs.
    pub fn add(&self, directory: Arc<Directory>) {
        let version = version(&directory);
        if *self.newest.borrow() == version {
            return;
        }
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.retain(|(known, _)| *known != version);
            kept.push_back((version, directory));
            if kept.len() > KEPT_MAX {
                kept.pop_front();
            }
        }
        self.newest.send_replace(version);
    }

    /// Tells of new versions.
    pub fn watch(&self) -> watch::Receiver<Hash> {
        self.newest.subscribe()
    }

    /// What brings somebody who knows a version, or none, up to the newest. Nothing when that is it.
    pub fn since(&self, known: Option<Hash>) -> Option<Changes> {
        let (version, new, old) = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let (version, new) = kept.back().cloned().expect("one version at least is kept");
            let old = kept.iter().find(|(version, _)| Some(*version) == known);
            (version, new, old.map(|(_, old)| Arc::clone(old)))
        };
        if known == Some(version) {
            return None;
        }
        let differs = |organ: &&Organ| {
            old.as_ref().is_none_or(|old| old.get(&organ.id).is_none_or(|before| before != *organ))
        };
        let gone = |organ: &&Organ| new.get(&organ.id).is_none();
        let before = old.as_ref().map_or(&[][..], |old| old.organs());
        Some(Changes {
            version,
            complete: old.is_none(),
            organs: new.organs().iter().filter(differs).cloned().collect(),
            removed: before.iter().filter(gone).map(|organ| organ.id.clone()).collect(),
        })
    }
}

fn version(directory: &Directory) -> Hash {
    Hash::of(write::csv(directory.organs()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &str) -> Arc<Directory> {
        let header = "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below\n";
        Arc::new(Directory::from_csv_texts(&[("t.csv", &format!("{header}{rows}"))]).unwrap())
    }

    #[test]
    fn who_knows_a_version_is_told_the_differences() {
        let versions = Versions::new(of("H01,a,,,,,\nH02,b,,,,,\n"));
        let all = versions.since(None).unwrap();
        assert_eq!((all.complete, all.organs.len()), (true, 2));
        assert!(versions.since(Some(all.version)).is_none());
        let mut watch = versions.watch();
        versions.add(of("H02,b,,,,,\nH01,a,,,,,\n"));
        assert!(!watch.has_changed().unwrap(), "the same in another order");
        versions.add(of("H01,a,,,,,\nH02,c,,,,,\nH03,d,,,,,\n"));
        versions.add(of("H02,c,,,,,\nH03,d,,,,,\n"));
        assert!(watch.has_changed().unwrap());
        assert_ne!(*watch.borrow_and_update(), all.version);
        let since = versions.since(Some(all.version)).unwrap();
        let ids: Vec<_> = since.organs.iter().map(|organ| organ.id.as_str()).collect();
        assert_eq!((since.complete, ids), (false, vec!["H02", "H03"]));
        assert_eq!(since.removed, [OrganId::parse("H01").unwrap()]);
        assert!(versions.since(Some(Hash::of(b"another"))).unwrap().complete);
        for n in 0..KEPT_MAX {
            versions.add(of(&format!("H01,name {n},,,,,\n")));
        }
        assert!(versions.since(Some(all.version)).unwrap().complete, "no longer kept");
    }
}
