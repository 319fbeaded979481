//! What happens while a page is being read from the ledger.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use truc::broker::Consumer;
use truc::broker::embedded::EmbeddedBroker;
use truc::domain::message::Lane;
use truc::ledger::{Error, Ready};

use super::Embedded;
use super::gate::{Gate, Page};
use crate::broker::{ANY, Exchange, ids, take};
use crate::support::soon;

/// An exchange whose broker reads through a gate; the first page is of all lanes.
async fn gated() -> (Exchange<Embedded>, UnboundedReceiver<Page>) {
    let mut exchange = Exchange::<Embedded>::new().await;
    let (gate, pages) = Gate::before(Arc::clone(&exchange.ledger.ledger));
    exchange.broker = Arc::new(EmbeddedBroker::new(gate));
    (exchange, pages)
}

/// Lets everything through from now on. Who waited for a page may have gone.
fn open(mut pages: UnboundedReceiver<Page>) {
    tokio::spawn(async move {
        while let Some(page) = pages.recv().await {
            let _gone = page.send(Ok(()));
        }
    });
}

fn taking(mut consumer: Box<dyn Consumer>, count: usize) -> tokio::task::JoinHandle<Vec<Ready>> {
    tokio::spawn(async move { take(&mut *consumer, count).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_while_a_page_is_read_comes_after_it() {
    for waiting in [0, 3] {
        let (mut exchange, mut pages) = gated().await;
        let letters = exchange.letters("H49", waiting);
        let mut expected = exchange.send(letters).await;
        let taken = taking(exchange.consume("H49"), waiting + 2);
        let held = soon(pages.recv()).await.unwrap();
        let letters = exchange.letters("H49", 2);
        expected.extend(exchange.send(letters).await);
        held.send(Ok(())).unwrap();
        open(pages);
        assert_eq!(ids(&soon(taken).await.unwrap()), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_fails_is_read_again() {
    let (mut exchange, mut pages) = gated().await;
    let letters = exchange.letters("H49", 3);
    let sent = exchange.send(letters).await;
    let mut consumer = exchange.consume("H49");
    let taking_first = tokio::spawn(async move {
        let failed = consumer.take(3, ANY).await;
        (consumer, failed)
    });
    let held = soon(pages.recv()).await.unwrap();
    let letters = exchange.letters("H49", 1);
    let late = exchange.send(letters).await;
    held.send(Err(Error::Closed)).unwrap();
    let (consumer, failed) = soon(taking_first).await.unwrap();
    assert!(matches!(failed, Err(Error::Closed)));
    open(pages);
    let taken = soon(taking(consumer, 4)).await.unwrap();
    assert_eq!(ids(&taken), [sent, late].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_given_up_is_read_by_another() {
    let (mut exchange, mut pages) = gated().await;
    let letters = exchange.letters("H49", 3);
    let sent = exchange.send(letters).await;
    let reader = taking(exchange.consume("H49"), 1);
    let held = soon(pages.recv()).await.unwrap();
    let other = taking(exchange.consume("H49"), 3);
    reader.abort();
    assert!(soon(reader).await.unwrap_err().is_cancelled());
    drop(held);
    open(pages);
    assert_eq!(ids(&soon(other).await.unwrap()), sent);
}

/// Beyond that the first page is cut in a lane, and the lanes below it are read when it is their turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_is_read_once_as_long_as_it_fits_a_page() {
    for (waiting, pages_read) in [(3, 1), (300, 1), (400, 2), (600, 5)] {
        let (mut exchange, mut pages) = gated().await;
        let letters =
            [exchange.letters("H49", waiting / 2), exchange.lane_letters(Lane::Express, "H49", waiting)];
        exchange.send(letters.concat()).await;
        let taken = taking(exchange.consume("H49"), waiting + waiting / 2);
        let mut read = 0;
        while let Some(page) = soon(pages.recv()).await {
            page.send(Ok(())).unwrap();
            read += 1;
            if read == pages_read {
                break;
            }
        }
        assert_eq!(soon(taken).await.unwrap().len(), waiting + waiting / 2);
        assert!(pages.try_recv().is_err(), "{waiting}: no page more than {pages_read}");
    }
}
