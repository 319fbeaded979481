//! Which organs a wrong organ id may have been meant for. The work is bounded, so that a flood of wrong ids costs little
//! in a directory of any size.

use std::ops::Range;

use super::{Directory, Organ};
use crate::domain::limits::{ORGAN_ID_CHARS_MAX, ORGAN_ID_GROUPS_MAX, ORGAN_NAME_CHARS_MAX};
use crate::domain::organ_id::OrganId;

/// Most organs named as near.
const NEAR_MAX: usize = 5;
/// Most organs of one level-1 code compared letter by letter, those beside the wrong id in the order of ids first.
const SCAN_MAX: usize = 4_096;

impl Directory {
    /// Organs a text may have been meant for, at most 5, the nearest first: by the organ id (a slip of the pen, another
    /// level-1 code, a group too many or too few), or by the name when the text is no organ id.
    pub fn near(&self, text: &str) -> Vec<&Organ> {
        let end = text.char_indices().nth(ORGAN_NAME_CHARS_MAX).map_or(text.len(), |(at, _)| at);
        let text = &text[..end];
        let found = match OrganId::parse(text) {
            Ok(id) => self.near_id(id.as_str()),
            Err(_) => {
                let mut found = mended(text).map_or_else(Vec::new, |probe| self.near_id(&probe));
                for index in self.names.near(text, &self.organs, NEAR_MAX) {
                    if !found.contains(&index) {
                        found.push(index);
                    }
                }
                found
            }
        };
        found.into_iter().take(NEAR_MAX).map(|index| &self.organs[index]).collect()
    }

    /// The places of the organs nearest to an id, at most [`NEAR_MAX`].
    fn near_id(&self, probe: &str) -> Vec<usize> {
        let letters = Letters::of(probe);
        let mut found = Vec::new();
        let mut offer = |distance: usize, index: usize| {
            found.push((distance, letters.apart(self.organs[index].id.as_str()), index));
        };

        let (code, rest) = probe.split_at(probe.find('.').unwrap_or(probe.len()));
        for other in self.level_ones.iter().filter(|other| strsim::osa_distance(code, other) <= 1) {
            if let Some(index) = self.index_of(&format!("{other}{rest}")) {
                offer(usize::from(**other != *code), index);
            }
        }
        for (groups_left_out, id) in with_fewer_groups(probe) {
            if let Some(index) = self.index_of(&id) {
                offer(groups_left_out, index);
            }
        }
        let slips_max = (probe.len() / 4).max(1);
        for index in self.beside(code, probe) {
            let id = self.organs[index].id.as_str();
            if one_group_more(id, probe) {
                offer(1, index);
            } else if id.len().abs_diff(probe.len()) <= slips_max && letters.apart(id) <= slips_max {
                let slips = strsim::osa_distance(probe, id);
                if slips <= slips_max {
                    offer(slips, index);
                }
            }
        }

        found.sort_unstable();
        let mut nearest = Vec::new();
        for (_, _, index) in found {
            if !nearest.contains(&index) {
                nearest.push(index);
            }
            if nearest.len() == NEAR_MAX {
                break;
            }
        }
        nearest
    }

    /// At most [`SCAN_MAX`] organs of a level-1 code, on both sides of where the id would stand.
    fn beside(&self, level_one: &str, id: &str) -> Range<usize> {
        let all = self.at_or_below(level_one);
        let here = all.start + self.organs[all.clone()].partition_point(|organ| organ.id.as_str() < id);
        here.saturating_sub(SCAN_MAX / 2).max(all.start)..(here + SCAN_MAX / 2).min(all.end)
    }

    fn index_of(&self, id: &str) -> Option<usize> {
        self.organs.binary_search_by(|organ| organ.id.as_str().cmp(id)).ok()
    }
}

/// What a text that is no organ id would be with its groups put right: foreign separators, zeros, too many groups, the level-1
/// code in the middle.
fn mended(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let is_level_one = |group: &str| OrganId::parse(group).is_ok();
    let mut groups: Vec<&str> = upper
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|group| group.bytes().any(|byte| byte != b'0'))
        .collect();
    if !text.is_ascii() {
        groups.retain(|group| is_level_one(group));
    }
    if !groups.iter().any(|group| group.bytes().any(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let mut probe = match groups.iter().position(|group| is_level_one(group)) {
        None => groups.concat(),
        Some(at) => {
            if at + 1 == groups.len() {
                groups.reverse();
            } else {
                groups[..=at].rotate_right(1);
            }
            groups.truncate(ORGAN_ID_GROUPS_MAX);
            groups.join(".")
        }
    };
    probe.truncate(ORGAN_ID_CHARS_MAX);
    Some(probe)
}

/// The id without its last groups, and without one in the middle; each with how many were left out.
fn with_fewer_groups(id: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    let dots: Vec<usize> = id.match_indices('.').map(|(at, _)| at).collect();
    let middle = dots.windows(2).map(|pair| format!("{}{}", &id[..pair[0]], &id[pair[1]..]));
    let middle: Vec<(usize, String)> = middle.map(|id| (1, id)).collect();
    let above = dots.into_iter().rev().zip(1..).map(move |(dot, count)| (count, id[..dot].to_owned()));
    above.chain(middle)
}

/// Whether `longer` is `shorter` with one group put in after the first.
fn one_group_more(longer: &str, shorter: &str) -> bool {
    let Some(more) = longer.len().checked_sub(shorter.len()).filter(|more| *more >= 2) else {
        return false;
    };
    let (long, short) = (longer.as_bytes(), shorter.as_bytes());
    let same_before = long.iter().zip(short).take_while(|(a, b)| a == b).count();
    let same_after = long.iter().rev().zip(short.iter().rev()).take_while(|(a, b)| a == b).count();
    (short.len().saturating_sub(same_after)..=same_before).any(|at| {
        let (group, rest) = (&long[at..at + more], &long[at + more..]);
        group[0] == b'.' && !group[1..].contains(&b'.') && rest.first().is_none_or(|byte| *byte == b'.')
    })
}

/// How often each letter occurs in an id: a quick lower bound of the edit distance to another.
struct Letters {
    /// By the low six bits of the byte, which tell the dot, digits and capital letters apart.
    counts: [i8; 64],
    len: usize,
}

impl Letters {
    fn of(id: &str) -> Self {
        let mut counts = [0; 64];
        for byte in id.bytes() {
            counts[usize::from(byte & 63)] += 1;
        }
        Self { counts, len: id.len() }
    }

    /// How many letters would have to be added or taken away, order aside; never more than the edit distance.
    fn apart(&self, id: &str) -> usize {
        let mut counts = self.counts;
        let mut extra = 0;
        for byte in id.bytes() {
            let count = &mut counts[usize::from(byte & 63)];
            extra += usize::from(*count <= 0);
            *count -= 1;
        }
        extra.max(self.len + extra - id.len())
    }
}

#[cfg(test)]
mod tests;
