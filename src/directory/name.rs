//! Finds organs by a name that may lack diacritics, have slips or be a part of the official one.

use std::cmp::Reverse;
use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Organ;

/// Most words of a text that are looked up; each costs at most one step for every organ.
const WORDS_MAX: usize = 12;
/// Most organs whose names are compared letter by letter.
const COMPARED_MAX: usize = 32;
/// How like the text a name must be, 0 to 1.
const LIKENESS_MIN: f64 = 0.6;

/// Which organs have a word in their folded name.
#[derive(Debug)]
pub(super) struct Index {
    organs_by_word: HashMap<Box<str>, Box<[u32]>>,
}

impl Index {
    /// Over organs by their places.
    pub(super) fn of(organs: &[Organ]) -> Self {
        let mut organs_by_word: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        for (organ, index) in organs.iter().zip(0..) {
            for word in folded(&organ.name).split_whitespace() {
                match organs_by_word.get_mut(word) {
                    None => drop(organs_by_word.insert(word.into(), vec![index])),
                    Some(indexes) if indexes.last() == Some(&index) => {}
                    Some(indexes) => indexes.push(index),
                }
            }
        }
        Self { organs_by_word: organs_by_word.into_iter().map(|(word, list)| (word, list.into())).collect() }
    }

    /// The places of up to `limit` organs whose names are most like a text, the likest first.
    pub(super) fn near(&self, text: &str, organs: &[Organ], limit: usize) -> Vec<usize> {
        let text = folded(text);
        let mut words: Vec<&str> = text.split_whitespace().collect();
        words.sort_unstable();
        words.dedup();
        words.truncate(WORDS_MAX);
        let mut alike: Vec<(f64, f64, usize)> = self
            .sharing_words(&words, organs.len())
            .into_iter()
            .map(|index| {
                let name = folded(&organs[index].name);
                let name_words: Vec<&str> = name.split_whitespace().collect();
                (likeness(&words, &name_words), strsim::sorensen_dice(&text, &name), index)
            })
            .filter(|(by_words, _, _)| *by_words >= LIKENESS_MIN)
            .collect();
        alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
        alike.into_iter().take(limit).map(|(_, _, index)| index).collect()
    }

    /// The places of the organs that share most words with a text, rare words counting more.
    fn sharing_words(&self, words: &[&str], organs: usize) -> Vec<usize> {
        let weight = |list: &[u32]| (organs / list.len()).ilog2();
        let mut lists: Vec<&[u32]> =
            words.iter().filter_map(|word| self.organs_by_word.get(*word).map(|list| &**list)).collect();
        lists.sort_by_key(|list| list.len());
        let telling = lists.partition_point(|list| weight(list) > 0);
        if telling == 0 {
            let all_alike = lists.first().copied().unwrap_or_default();
            return all_alike.iter().take(COMPARED_MAX).map(|index| *index as usize).collect();
        }
        let mut votes = vec![0; organs];
        for list in &lists[..telling] {
            for index in *list {
                votes[*index as usize] += weight(list);
            }
        }
        let mut sharing: Vec<(Reverse<u32>, usize)> =
            votes.into_iter().map(Reverse).zip(0..).filter(|(votes, _)| votes.0 > 0).collect();
        if sharing.len() > COMPARED_MAX {
            sharing.select_nth_unstable(COMPARED_MAX);
            sharing.truncate(COMPARED_MAX);
        }
        sharing.into_iter().map(|(_, index)| index).collect()
    }
}

/// How well the words of a text are found among those of a name, 0 to 1.
fn likeness(words: &[&str], name: &[&str]) -> f64 {
    let best = |word: &str| {
        let each = name.iter().map(|other| strsim::normalized_damerau_levenshtein(word, other));
        each.fold(0.0, f64::max)
    };
    words.iter().map(|word| best(word)).sum::<f64>() / words.len().max(1) as f64
}

/// Lower case, without diacritics, đ as d, anything but letters and digits as a space.
fn folded(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'đ' => 'd',
            c if c.is_alphanumeric() => c,
            _ => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_the_letters() {
        assert_eq!(folded("ỦY BAN nhân dân tỉnh Đắk Lắk"), "uy ban nhan dan tinh dak lak");
        assert_eq!(folded("Bà Rịa - Vũng Tàu").split_whitespace().count(), 4);
        assert_eq!(folded("Thừa Thiên Huế".nfd().collect::<String>().as_str()), "thua thien hue");
        assert_eq!(folded(""), "");
    }

    #[test]
    fn likeness_is_by_words() {
        let name = ["uy", "ban", "nhan", "dan", "tinh", "quang", "ninh"];
        assert_eq!(likeness(&["quang", "ninh"], &name), 1.0);
        assert!(likeness(&["quag", "nihn"], &name) > 0.7);
        assert!(likeness(&["hanoi"], &name) < LIKENESS_MIN);
        assert_eq!(likeness(&[], &name), 0.0);
    }
}
