//! Standard output: the one place that writes to it, as text for people or as one JSON object a line.

use std::fmt::Display;
use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use super::exit::Exit;
use super::words::{Lang, Word};

/// How a command answers.
#[derive(Clone, Copy, Debug, Args)]
pub struct Form {
    /// Answer in JSON, one object a line
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// What a command answers with.
#[derive(Debug)]
pub struct Out {
    lang: Lang,
    is_json: bool,
    // Work that must go on although nobody reads the answer.
    is_heedless: bool,
}

impl Out {
    /// Answers in a language and a form.
    pub fn new(lang: Lang, form: Form) -> Self {
        Self { lang, is_json: form.json, is_heedless: false }
    }

    /// The same, for work whose end and exit code do not depend on anybody reading.
    pub fn heedless(self) -> Self {
        Self { is_heedless: true, ..self }
    }

    /// True when the answer is JSON.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// The language of words.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// A word in that language.
    pub fn word(&self, word: Word) -> &'static str {
        word.text(self.lang)
    }

    /// Writes lines of text; nothing when the answer is JSON.
    pub fn text(&mut self, text: impl Display) -> Result<(), Exit> {
        if self.is_json { Ok(()) } else { self.write(&text) }
    }

    /// Writes an object; nothing when the answer is text.
    pub fn object(&mut self, object: &Value) -> Result<(), Exit> {
        if self.is_json { self.write(object) } else { Ok(()) }
    }

    /// Says something beside the answer, on standard error.
    pub fn note(&self, text: impl Display) {
        // If nobody hears it, the exit code still tells.
        let _gone = writeln!(io::stderr().lock(), "truc: {text}").is_err();
    }

    fn write(&mut self, text: &dyn Display) -> Result<(), Exit> {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(_) if self.is_heedless => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Exit::Unread),
            Err(error) => Err(Exit::Failed(format!("standard output: {error}"))),
        }
    }
}
