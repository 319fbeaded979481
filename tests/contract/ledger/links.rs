//! Point 11: push links are kept, and their changes told.

use std::time::Duration;

use truc::domain::link::{LinkRecord, Outage, PushLink, Server};
use truc::domain::message::Hash;
use truc::domain::organ_id::OrganId;
use truc::domain::receipt::Cause;
use truc::ledger::LinkChange;

use super::{LedgerUnderTest, Open};
use crate::support::{organ, soon, t};

fn link(of: &str, set_at: i64) -> PushLink {
    PushLink {
        organ: organ(of),
        endpoint: format!("https://{of}.example.vn:8443"),
        server: Server::Organ(organ(of)),
        window: 16,
        timeout: Duration::from_millis(30_500),
        receipts: true,
        enabled: true,
        set_at: t(set_at),
        set_by: of.to_owned(),
    }
}

fn outage(failures: u32) -> Outage {
    let (cause, reason) = (Cause::PushUnreachable, "không gọi được: \0 | ;".replace('\0', "-"));
    Outage { since: t(5), failures, cause, reason, retry_at: t(9) }
}

impl<L: LedgerUnderTest> Open<L> {
    async fn change(&self, change: LinkChange) -> bool {
        soon(soon(self.ledger.change_link(change)).await.unwrap()).await.unwrap()
    }

    async fn set(&self, link: &PushLink) -> bool {
        self.change(LinkChange::Set(Box::new(link.clone()))).await
    }

    async fn note(&self, of: &str, set_at: i64, outage: Option<Outage>) -> bool {
        self.change(LinkChange::Note { organ: organ(of), set_at: t(set_at), outage }).await
    }

    async fn links(&self, of: Option<Vec<OrganId>>) -> Vec<LinkRecord> {
        soon(self.ledger.links(of)).await.unwrap()
    }

    fn told_links(&mut self) -> Vec<OrganId> {
        self.told().into_iter().flat_map(|commit| commit.links).collect()
    }
}

pub async fn a_link_is_kept_as_it_was_set_across_a_kill<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let by_name = link("H49", 1);
    let by_certificate = PushLink {
        server: Server::Certificate(Hash::of(b"certificate")),
        receipts: false,
        enabled: false,
        set_by: "operator:lan".to_owned(),
        ..link("H05", 2)
    };
    assert!(open.set(&by_name).await && open.set(&by_certificate).await);
    assert_eq!(open.told_links(), [organ("H49"), organ("H05")]);
    let open = open.killed().await;
    let record = |link: &PushLink| LinkRecord { link: link.clone(), outage: None };
    assert_eq!(open.links(None).await, [record(&by_certificate), record(&by_name)], "by organ");
    let some = Some(vec![organ("H49"), organ("G22")]);
    assert_eq!(open.links(some).await, [record(&by_name)]);
    // In place of the one there was.
    let other = PushLink { window: 1, ..link("H49", 3) };
    assert!(open.set(&other).await);
    assert_eq!(open.links(Some(vec![organ("H49")])).await, [record(&other)]);
}

pub async fn an_outage_is_noted_of_the_link_it_is_about<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    assert!(!open.note("H49", 1, Some(outage(1))).await, "there is no link");
    open.set(&link("H49", 1)).await;
    assert!(open.note("H49", 1, Some(outage(7))).await);
    assert_eq!(open.told_links(), [organ("H49"), organ("H49")]);
    let mut open = open.killed().await;
    let noted = LinkRecord { link: link("H49", 1), outage: Some(outage(7)) };
    assert_eq!(open.links(None).await, [noted]);
    // Set anew, it is another link.
    open.set(&link("H49", 2)).await;
    assert!(!open.note("H49", 1, Some(outage(8))).await);
    assert_eq!(open.links(None).await, [LinkRecord { link: link("H49", 2), outage: None }]);
    assert!(open.note("H49", 2, Some(outage(1))).await && open.note("H49", 2, None).await);
    assert_eq!(open.links(None).await, [LinkRecord { link: link("H49", 2), outage: None }]);
    open.told();
    assert!(open.change(LinkChange::Delete(organ("H49"))).await);
    assert!(!open.change(LinkChange::Delete(organ("H49"))).await);
    assert_eq!(open.told_links(), [organ("H49")]);
    assert!(open.links(None).await.is_empty());
}

pub async fn a_node_knows_itself<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let mut nodes = open.ledger.nodes();
    let known = soon(nodes.wait_for(|nodes| !nodes.all.is_empty())).await.unwrap().clone();
    assert_eq!(known.all, [known.this]);
    assert!(known.sees_to(&organ("H49")));
}
