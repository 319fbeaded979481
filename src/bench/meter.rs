//! The bar that shows how far a measurement is, when somebody looks.

use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Amount;

/// A progress bar on standard error; nothing when that is no terminal.
pub struct Meter(ProgressBar);

impl Meter {
    /// A bar for a phase.
    pub fn new(what: impl Into<String>, amount: Amount) -> Self {
        let (bar, template) = match amount {
            Amount::Documents(total) => {
                (ProgressBar::new(total), "{msg:26} {wide_bar} {human_pos}/{human_len} {per_sec:>12}")
            }
            Amount::Time(_) => (ProgressBar::no_length(), "{msg:26} {human_pos} {per_sec:>12} {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).expect("a template of this file");
        Self(bar.with_style(style).with_message(what.into()))
    }

    /// So many documents have ended.
    pub fn at(&self, ended: u64) {
        self.0.set_position(ended);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
