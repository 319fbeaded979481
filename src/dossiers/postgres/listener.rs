//! What nodes tell each other with a commit: the last position, and when something is due.

use std::time::Duration;

use futures_util::stream::StreamExt;
use tokio::sync::mpsc;
use tokio_postgres::AsyncMessage;

use crate::domain::time::Timestamp;
use crate::dossiers::Commit;
use crate::ledger::postgres::fault::Fault;
use crate::ledger::postgres::server::Server;

/// The channel of the notes.
pub(super) const CHANNEL: &str = "truc_dossiers";

/// Between two attempts to connect.
const RETRY_DELAY: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// The note of a commit; empty where there is nothing to tell.
pub(super) fn note(commit: &Commit) -> String {
    if *commit == Commit::default() {
        return String::new();
    }
    let text = |number: Option<String>| number.unwrap_or_default();
    format!(
        "{};{}",
        text(commit.head.map(|head| head.to_string())),
        text(commit.due.map(|due| due.as_micros().to_string()))
    )
}

/// Reads a note. One that cannot be understood was written by a later version: anything may have happened.
fn read(text: &str) -> Commit {
    let parts = text.split_once(';');
    let number = |text: &str| if text.is_empty() { Ok(None) } else { text.parse::<i64>().map(Some) };
    let read = parts.and_then(|(head, due)| Some((number(head).ok()?, number(due).ok()?)));
    match read {
        Some((head, due)) => Commit {
            events: Vec::new(),
            head: head.and_then(|head| u64::try_from(head).ok()),
            due: due.map(Timestamp::from_micros),
            missed: false,
        },
        None => Commit { missed: true, ..Commit::default() },
    }
}

/// Passes on what all nodes tell, for ever. After each connection that was lost: that something may have been missed.
pub(super) async fn listen(server: Server, told: mpsc::Sender<Commit>) {
    let mut delay = RETRY_DELAY;
    loop {
        match hear(&server, &told).await {
            Ok(()) => delay = RETRY_DELAY,
            Err(fault) => tracing::debug!(%fault, "other nodes' commits cannot be heard"),
        }
        if told.is_closed() {
            return;
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(RETRY_DELAY_MAX);
    }
}

async fn hear(server: &Server, told: &mpsc::Sender<Commit>) -> Result<(), Fault> {
    let (client, mut unasked) = server.connect().await?;
    let (heard, mut notes) = mpsc::channel(64);
    // The connection works only while it is read from.
    let reading = async move {
        while let Some(Ok(message)) = unasked.next().await {
            if let AsyncMessage::Notification(note) = message
                && heard.send(read(note.payload())).await.is_err()
            {
                return;
            }
        }
    };
    let passing_on = async {
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        // Notes may have been written while nobody listened.
        let _stopping = told.send(Commit { missed: true, ..Commit::default() }).await.is_err();
        while let Some(commit) = notes.recv().await {
            if told.send(commit).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let ((), passed_on) = tokio::join!(reading, passing_on);
    passed_on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_what_the_commit_did() {
        for (head, due) in [(Some(7), None), (None, Some(9)), (Some(7), Some(-9))] {
            let (events, due) = (Vec::new(), due.map(Timestamp::from_micros));
            let commit = Commit { events, head, due, missed: false };
            assert_eq!(read(&note(&commit)), commit);
        }
        assert_eq!(note(&Commit::default()), "");
        for strange in ["", "7", "x;", ";y", "7;8;9"] {
            assert!(read(strange).missed, "{strange:?}");
        }
    }
}
