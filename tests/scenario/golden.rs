//! What the sender is shown in the end, as it was when somebody last looked at it. `TRUC_TESTS_UPDATE=1` writes it anew.

use std::path::Path;

use crate::stage::Stage;

const MESSAGES: [&str; 6] = ["chi-dao", "ke-hoach-1", "ke-hoach-2", "ke-hoach-3", "nham-1", "nham-2"];
const LANGUAGES: [&str; 2] = ["vi", "en"];
/// The form of a moment.
const MOMENT: &str = "0000-00-00 00:00:00.000";

/// Timelines and lineage of all messages, in both languages.
pub fn check(stage: &Stage) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario/golden");
    let is_update = std::env::var_os("TRUC_TESTS_UPDATE").is_some();
    let mut differing = Vec::new();
    for (message, lang) in MESSAGES.iter().flat_map(|message| LANGUAGES.map(|lang| (message, lang))) {
        let shown = lasting(&stage.shown(&["track", message, "--lang", lang]));
        let file = folder.join(format!("{message}.{lang}.txt"));
        if is_update {
            std::fs::write(&file, &shown).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != shown {
            differing.push(format!("{}:\n{shown}", file.display()));
        }
    }
    assert!(differing.is_empty(), "look at it, then TRUC_TESTS_UPDATE=1:\n{}", differing.join("\n"));
}

/// The text without what differs between runs: moments, numbers of deliveries, which are counted anew, and the widths of tables.
fn lasting(shown: &str) -> String {
    let mut deliveries = Vec::new();
    let lines = shown.lines().map(|line| {
        let line = timeless(line);
        let words: Vec<_> = line.split_whitespace().map(|word| renumbered(word, &mut deliveries)).collect();
        words.join(" ") + "\n"
    });
    lines.collect()
}

/// A line with every moment replaced, and every rule of a table shortened.
fn timeless(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let taken = match is_moment(rest) {
            true => MOMENT.len(),
            false => first.len_utf8(),
        };
        match is_moment(rest) {
            true => text.push_str("[time]"),
            false if "─═".contains(first) && text.ends_with(first) => {}
            false => text.push(first),
        }
        rest = &rest[taken..];
    }
    text
}

/// Whether a text begins with a moment, `2026-07-02 08:15:30.123`.
fn is_moment(text: &str) -> bool {
    let Some(start) = text.get(..MOMENT.len()) else { return false };
    start.bytes().zip(MOMENT.bytes()).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        sign => byte == sign,
    })
}

/// A word, with the number of a delivery in it replaced by the place in which it was first seen.
fn renumbered(word: &str, seen: &mut Vec<String>) -> String {
    let bare = word.trim_matches(|c| "():".contains(c));
    let is_delivery = bare.strip_prefix('d').is_some_and(|id| id.parse::<u64>().is_ok());
    if !is_delivery {
        return word.to_owned();
    }
    let place = seen.iter().position(|known| known == bare).unwrap_or_else(|| {
        seen.push(bare.to_owned());
        seen.len() - 1
    });
    word.replace(bare, &format!("d{}", place + 1))
}
