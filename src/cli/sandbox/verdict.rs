//! Whether the exchange was as it has to be: every receipt there, in order, and every byte as it was sent.

use super::exchange::Collected;
use crate::domain::message::Hash;
use crate::proto::v1::{self, ReceiptKind};

/// True when every delivery of a message has a receipt that ends it.
pub fn is_complete(acceptance: &v1::Acceptance, receipts: &[v1::Receipt]) -> bool {
    acceptance.deliveries.iter().all(|delivery| {
        let its = receipts.iter().filter(|receipt| receipt.delivery_id == delivery.delivery_id);
        its.map(v1::Receipt::kind).any(|kind| match kind {
            ReceiptKind::Delivered
            | ReceiptKind::Rejected
            | ReceiptKind::Expired
            | ReceiptKind::Cancelled => true,
            ReceiptKind::Unspecified
            | ReceiptKind::Accepted
            | ReceiptKind::Redirected
            | ReceiptKind::Offered
            | ReceiptKind::Deferred
            | ReceiptKind::Dead
            | ReceiptKind::Status
            | ReceiptKind::Requested
            | ReceiptKind::Lapsed
            | ReceiptKind::Purged
            | ReceiptKind::Held
            | ReceiptKind::Released
            | ReceiptKind::Replayed
            | ReceiptKind::Overdue => false,
        })
    })
}

/// Everything that is not as it should be; nothing when all is well.
pub fn flaws(
    acceptance: &v1::Acceptance,
    receipts: &[v1::Receipt],
    tracked: &v1::TrackResponse,
    collected: &[Collected],
    sent: Hash,
) -> Vec<String> {
    let mut flaws = Vec::new();
    let gapless = receipts.iter().map(|receipt| receipt.message_sequence).eq(1..=receipts.len() as u32);
    if !gapless {
        flaws.push("the receipts are not numbered 1, 2, 3, ... without a gap".to_owned());
    }
    if tracked.receipts != receipts {
        flaws.push("Track tells of other receipts than WatchReceipts".to_owned());
    }
    if receipts.first().is_none_or(|first| Some(first) != acceptance.receipt.as_ref()) {
        flaws.push("the first receipt is not the acceptance".to_owned());
    }
    for delivery in &acceptance.deliveries {
        let its = receipts.iter().filter(|receipt| receipt.delivery_id == delivery.delivery_id);
        let rungs: Vec<ReceiptKind> = its.map(v1::Receipt::kind).collect();
        if rungs != expected(delivery) {
            flaws.push(format!("the receipts of {} are {rungs:?}", delivery.recipient));
        }
        match collected.iter().find(|one| one.delivery_id == delivery.delivery_id) {
            None => flaws.push(format!("{} did not get the document", delivery.recipient)),
            Some(one) if one.hash != sent => flaws.push(format!("{} got other bytes", delivery.recipient)),
            Some(_) => {}
        }
    }
    flaws
}

fn expected(delivery: &v1::AcceptedDelivery) -> Vec<ReceiptKind> {
    let redirected = (!delivery.addressed_to.is_empty()).then_some(ReceiptKind::Redirected);
    redirected.into_iter().chain([ReceiptKind::Offered, ReceiptKind::Delivered]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(sequence: u32, kind: ReceiptKind, delivery: &str) -> v1::Receipt {
        v1::Receipt {
            message_sequence: sequence,
            kind: kind.into(),
            delivery_id: delivery.into(),
            ..Default::default()
        }
    }

    fn whole() -> (v1::Acceptance, Vec<v1::Receipt>, Vec<Collected>) {
        let receipts = vec![
            receipt(1, ReceiptKind::Accepted, ""),
            receipt(2, ReceiptKind::Redirected, "d2"),
            receipt(3, ReceiptKind::Offered, "d2"),
            receipt(4, ReceiptKind::Offered, "d1"),
            receipt(5, ReceiptKind::Delivered, "d1"),
            receipt(6, ReceiptKind::Delivered, "d2"),
        ];
        let delivery = |id: &str, recipient: &str, addressed_to: &str| v1::AcceptedDelivery {
            delivery_id: id.into(),
            recipient: recipient.into(),
            addressed_to: addressed_to.into(),
        };
        let acceptance = v1::Acceptance {
            receipt: receipts.first().cloned(),
            deliveries: vec![delivery("d1", "H49", ""), delivery("d2", "H05", "H02")],
            repeated_submission: false,
            changed: None,
        };
        let got = |id: &str| Collected {
            organ: String::new(),
            delivery_id: id.into(),
            hash: Hash::of(b"x"),
            bytes: 1,
        };
        (acceptance, receipts, vec![got("d1"), got("d2")])
    }

    fn count(acceptance: &v1::Acceptance, receipts: &[v1::Receipt], collected: &[Collected]) -> usize {
        let tracked = v1::TrackResponse { receipts: receipts.to_vec(), ..Default::default() };
        flaws(acceptance, receipts, &tracked, collected, Hash::of(b"x")).len()
    }

    #[test]
    fn an_exchange_that_is_whole_has_no_flaw() {
        let (acceptance, receipts, collected) = whole();
        assert!(is_complete(&acceptance, &receipts));
        assert_eq!(count(&acceptance, &receipts, &collected), 0);
    }

    #[test]
    fn what_is_missing_or_changed_is_found() {
        let (acceptance, mut receipts, mut collected) = whole();
        collected[0].hash = Hash::of(b"y");
        assert_eq!(count(&acceptance, &receipts, &collected), 1);
        assert_eq!(count(&acceptance, &receipts, &collected[1..]), 1);
        receipts.remove(1);
        assert_eq!(count(&acceptance, &receipts, &collected[..]), 3);
        receipts.pop();
        assert!(!is_complete(&acceptance, &receipts));
        let (_, receipts, collected) = whole();
        let nothing = v1::TrackResponse::default();
        let other = flaws(&acceptance, &receipts, &nothing, &collected, Hash::of(b"x"));
        assert_eq!(other.len(), 1, "{other:?}");
    }
}
