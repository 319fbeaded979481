//! What happens while a page is being read from the ledger.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use truc::broker::Consumer;
use truc::broker::embedded::EmbeddedBroker;
use truc::ledger::{Error, Ready};

use super::Embedded;
use super::gate::{Gate, Page};
use crate::broker::{ANY, Exchange, ids, take};
use crate::support::soon;

/// An exchange whose broker reads through a gate; the pages of the urgent lane, all empty, come first.
async fn gated() -> (Exchange<Embedded>, UnboundedReceiver<Page>) {
    let mut exchange = Exchange::<Embedded>::new().await;
    let (gate, pages) = Gate::before(Arc::clone(&exchange.ledger.ledger));
    exchange.broker = Arc::new(EmbeddedBroker::new(gate));
    (exchange, pages)
}

async fn through(pages: &mut UnboundedReceiver<Page>) {
    soon(pages.recv()).await.unwrap().send(Ok(())).unwrap();
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
        through(&mut pages).await;
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
    through(&mut pages).await;
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
    through(&mut pages).await;
    let held = soon(pages.recv()).await.unwrap();
    let other = taking(exchange.consume("H49"), 3);
    reader.abort();
    assert!(soon(reader).await.unwrap_err().is_cancelled());
    drop(held);
    open(pages);
    assert_eq!(ids(&soon(other).await.unwrap()), sent);
}
