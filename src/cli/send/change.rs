//! What a document does to earlier ones, from options.

use clap::Args;

use crate::cli::exit::Exit;
use crate::proto::v1::{self, change_target::Document};

/// What a document changes.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it changes of earlier documents (edXML says it by itself)")]
#[group(id = "Change", multiple = true)]
pub struct Changes {
    /// It updates this message; recipients of both are asked to take it
    #[arg(long, value_name = "MESSAGE_ID", conflicts_with_all = ["replaces", "edxml"])]
    updates: Option<String>,
    /// An update takes the document away from this organ; once for each, or separated by commas
    #[arg(long, value_name = "ORGAN", value_delimiter = ',', requires = "updates")]
    removes: Vec<String>,
    /// It replaces this message, for all or for some: ID, or ID#H49,H05; once for each
    #[arg(long, value_name = "MESSAGE_ID[#ORGAN,...]", conflicts_with = "edxml")]
    replaces: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT", requires = "Change")]
    change_reason: Option<String>,
}

impl Changes {
    /// What the submission says of it; nothing for a document that is new.
    pub fn written(&self) -> Option<v1::Change> {
        let reason = self.change_reason.clone().unwrap_or_default();
        if let Some(id) = &self.updates {
            return Some(v1::Change {
                kind: v1::MessageKind::Update.into(),
                targets: vec![target(id, Vec::new())],
                removed_recipients: self.removes.clone(),
                reason,
            });
        }
        let targets: Vec<_> = self.replaces.iter().map(|written| replaced(written)).collect();
        (!targets.is_empty()).then(|| v1::Change {
            kind: v1::MessageKind::Replacement.into(),
            targets,
            removed_recipients: Vec::new(),
            reason,
        })
    }

    /// For the command that replaces: it has to say what.
    pub fn must_replace(&self) -> Result<(), Exit> {
        match self.replaces.is_empty() {
            true => Err(Exit::usage("say with --replaces which messages it takes the place of")),
            false => Ok(()),
        }
    }
}

fn replaced(written: &str) -> v1::ChangeTarget {
    match written.split_once('#') {
        Some((id, organs)) => target(id, organs.split(',').map(str::to_owned).collect()),
        None => target(written, Vec::new()),
    }
}

fn target(id: &str, recipients: Vec<String>) -> v1::ChangeTarget {
    v1::ChangeTarget { document: Some(Document::MessageId(id.to_owned())), recipients }
}
