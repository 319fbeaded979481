//! One transaction for a whole batch: lock and read, decide, write. Committing is the caller's.

use std::collections::BTreeSet;

use futures_util::FutureExt;

use super::columns::Attempts;
use super::command::{Command, Done};
use super::facts::NewFacts;
use super::fault::Fault;
use super::link::Link;
use super::names::Names;
use super::sheet::Sheet;
use super::{Options, accept, bounded, custody, duty, links, put, read, report, step, targets};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::ReceiptKind;
use crate::ledger::Commit;

/// Who writes, and by what rules.
pub(super) struct Context<'a> {
    pub options: &'a Options,
    pub names: &'a Names,
    pub commit: CommitId,
}

/// By what a commit is known: the node, and a number that rises.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommitId {
    pub node: i64,
    pub number: i64,
}

/// What one transaction came to, once it is committed.
pub(super) struct Written {
    /// In the order of the batch.
    pub done: Vec<Done>,
    /// What is told of it.
    pub commit: Commit,
    /// Its receipts, to be counted.
    pub receipts: Vec<ReceiptKind>,
    /// What is to be kept of it.
    pub facts: NewFacts,
    /// False when there is nothing to commit.
    pub changed: bool,
}

/// Writes a batch. The transaction is left open: it is to be committed, or undone when this fails.
pub(super) async fn write(link: &Link, context: &Context<'_>, batch: &[Command]) -> Result<Written, Fault> {
    let mut organs = BTreeSet::new();
    batch.iter().for_each(|command| command.organs(&mut organs));
    context.names.enter(&link.client, organs).await?;
    let operators = batch.iter().flat_map(Command::operators).collect();
    context.names.enter_operators(&link.client, operators).await?;
    let targets = targets::Targets::of(batch, context.names)?;
    let mut sheet = read::read(link, context, batch, &targets).await?;
    let mut published = Attempts::default();
    let mut done = Vec::with_capacity(batch.len());
    for command in batch {
        done.push(perform(link, context, &mut sheet, &mut published, command).await?);
    }
    published.absorb(std::mem::take(&mut sheet.withdrawn));
    let (moves, accounts) = (sheet.moves(), sheet.close_accounts());
    let changed = !moves.id.is_empty()
        || !accounts.organ.is_empty()
        || batch.iter().any(|command| {
            !matches!(
                command,
                Command::Accept(..) | Command::Step(..) | Command::Report(..) | Command::NoteOverdue(..)
            )
        });
    if changed {
        put::put(link, context, &sheet, &moves, &accounts, &published).boxed().await?;
    }
    let Sheet { commit, new_receipts, new_facts: facts, .. } = sheet;
    Ok(Written { done, commit, receipts: new_receipts.kind, facts, changed })
}

async fn perform<'a>(
    link: &Link,
    context: &Context<'_>,
    sheet: &mut Sheet<'a>,
    published: &mut Attempts,
    command: &'a Command,
) -> Result<Done, Fault> {
    Ok(match command {
        Command::Accept(batch, _) => {
            let answers = batch.iter().map(|new| accept::accept(sheet, new));
            Done::Accept(answers.collect::<Result<_, _>>()?)
        }
        Command::Step(batch, _) => {
            let answers = batch.iter().map(|request| step::step(sheet, request));
            Done::Step(answers.collect::<Result<_, _>>()?)
        }
        Command::Report(batch, _) => {
            let answers = batch.iter().map(|request| report::report(sheet, request));
            Done::Report(answers.collect::<Result<_, _>>()?)
        }
        Command::NoteOverdue(batch, at, _) => {
            let answers = batch.iter().map(|delivery| duty::note(sheet, *delivery, *at));
            Done::NoteOverdue(answers.collect::<Result<_, _>>()?)
        }
        Command::CountDuty { after, from, by, .. } => {
            duty::count(link, *after, *from, *by).await?;
            Done::Nothing
        }
        Command::Published(batch, _) => {
            batch.iter().for_each(|ready| published.put(ready));
            Done::Nothing
        }
        Command::PublishAgain(organ, _) => {
            // What was confirmed before the loss is lost with the rest.
            put::forget_published(link, &std::mem::take(published)).await?;
            Done::PublishAgain(publish_again(link, context, organ.as_ref()).await?)
        }
        Command::AdvanceMark(name, from, to, _) => {
            let (from, to) = (bounded(*from), bounded(*to));
            let set = link.client.execute(&link.statements.advance_mark, &[name, &from, &to]).await?;
            Done::AdvanceMark(set == 1)
        }
        Command::Custody(work) => Done::Custody(custody::work(link, sheet, work).await?),
        Command::ChangeLink(change, _) => {
            let changed = links::change(link, change).boxed().await?;
            if changed {
                sheet.commit.links.push(change.organ().clone());
            }
            Done::ChangeLink(changed)
        }
        Command::Probe(_) => Done::Nothing,
    })
}

async fn publish_again(link: &Link, context: &Context<'_>, organ: Option<&OrganId>) -> Result<u64, Fault> {
    if !context.options.outbox {
        return Ok(0);
    }
    let (client, statements) = (&link.client, &link.statements);
    // It takes as long as there are ready deliveries.
    client.batch_execute("SET LOCAL statement_timeout = 0").await?;
    Ok(match organ {
        Some(organ) => {
            client.execute(&statements.publish_again, &[&context.commit.node, &organ.as_str()]).await?
        }
        None => client.execute(&statements.publish_all_again, &[&context.commit.node]).await?,
    })
}
