//! Bars for work that is long. On standard error, and only where somebody sees it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::out::Out;
use super::words::Word;

const TICK: Duration = Duration::from_millis(120);

/// Counts things up to a known number.
pub fn counting(out: &Out, total: u64, what: Word) -> ProgressBar {
    if out.is_json() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} ({per_sec}, {eta})");
    ProgressBar::new(total)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(out.word(what))
}

/// Shows that something of a known size is under way.
pub fn busy(out: &Out, what: Word, bytes: u64) -> ProgressBar {
    if out.is_json() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    let bar = ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        .with_message(format!("{} {:.1} MB", out.word(what), bytes as f64 / 1e6));
    bar.enable_steady_tick(TICK);
    bar
}
