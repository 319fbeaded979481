//! Comparing: what one needs to find the steps that one side lacks, without sending either.

use time::Date;

use super::Dossiers;
use crate::api::caller::{Caller, Speaker};
use crate::domain::dossier::{Digests, DossierCode, DossierDigest, Node, ParseNodeError, Sum};
use crate::domain::limits::{COMPARE_CODES_MAX, COMPARE_DOSSIERS_MAX, COMPARE_LISTED_MAX, COMPARE_NODES_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::dossiers::{CompareFault, Extent};
use crate::intake::{fields, ledger_failed, steps};
use crate::proto::v1;

use std::time::Duration;

/// When to ask again while others compare.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// Days without a bound, as numbers yyyymmdd.
const ALL_DAYS: (u32, u32) = (0, 99_999_999);

impl Dossiers {
    /// Answers about nodes and dossiers.
    pub async fn compare_dossiers(
        &self,
        caller: Caller,
        request: v1::CompareRequest,
    ) -> Result<v1::CompareResponse, Refusal> {
        let Speaker { organ, .. } = self.api.speaker(caller, &request.organ, "organ")?;
        let extent = extent(&request, &organ)?;
        self.sight(&organ).check_all(&extent.at_or_below, "at_or_below")?;
        let nodes = read_nodes(&request.nodes)?;
        let codes = read_codes(&request.dossier_codes, &extent.at_or_below)?;
        let mut response =
            v1::CompareResponse { at_or_below: extent.at_or_below.to_string(), ..Default::default() };
        if !nodes.is_empty() {
            let begins = nodes.contains(&Node::ROOT);
            let digests = self.comparisons.digests(&extent, begins).await.map_err(|fault| refusal(&fault))?;
            response.nodes = nodes.into_iter().map(|node| answer(&digests, node)).collect();
        }
        for code in codes {
            response.dossiers.push(self.fingerprints(&code).await?);
        }
        Ok(response)
    }

    async fn fingerprints(&self, code: &DossierCode) -> Result<v1::DossierFingerprints, Refusal> {
        let found = self.parts.tail.log().history(code).await.map_err(|error| ledger_failed(&error))?;
        let marks = found.iter().flat_map(|(dossier, _)| dossier.course.marks());
        let steps = marks.map(|mark| v1::StepFingerprint {
            step: mark.number,
            fingerprint: mark.fingerprint.as_bytes().to_vec().into(),
        });
        Ok(v1::DossierFingerprints { dossier_code: code.to_string(), steps: steps.collect() })
    }
}

fn extent(request: &v1::CompareRequest, organ: &OrganId) -> Result<Extent, Refusal> {
    let at_or_below = match request.at_or_below.as_str() {
        "" => organ.clone(),
        text => fields::organ(text, "at_or_below")?,
    };
    let day = |text: &str, path, none| match text {
        "" => Ok(none),
        text => fields::date(text, path).map(number),
    };
    let from = day(&request.from_day, "from_day", ALL_DAYS.0)?;
    let to = day(&request.to_day, "to_day", ALL_DAYS.1)?;
    Ok(Extent { at_or_below, days: (from, to) })
}

/// A day as the number yyyymmdd.
fn number(day: Date) -> u32 {
    let year = u32::try_from(day.year()).unwrap_or(0);
    year * 10_000 + u32::from(u8::from(day.month())) * 100 + u32::from(day.day())
}

fn read_nodes(written: &[String]) -> Result<Vec<Node>, Refusal> {
    few(written, COMPARE_NODES_MAX, "nodes")?;
    let node = |(place, text): (usize, &String)| {
        Node::parse(text).map_err(|why: ParseNodeError| {
            Refusal::new(Reason::InvalidField, why.to_string())
                .field(format!("nodes[{place}]"))
                .hint("the hexadecimal digits with which the places of its dossiers begin; none for the root")
        })
    };
    written.iter().enumerate().map(node).collect()
}

fn read_codes(written: &[String], top: &OrganId) -> Result<Vec<DossierCode>, Refusal> {
    few(written, COMPARE_CODES_MAX, "dossier_codes")?;
    let code = |(place, text): (usize, &String)| {
        let path = format!("dossier_codes[{place}]");
        let code = steps::code(text, &path)?;
        match code.owner() == top || code.owner().is_below(top) {
            true => Ok(code),
            false => {
                Err(Refusal::new(Reason::InvalidField, format!("{code} is no dossier of {top} or below"))
                    .field(path)
                    .hint("name dossiers of at_or_below"))
            }
        }
    };
    written.iter().enumerate().map(code).collect()
}

fn few(written: &[String], most: usize, path: &str) -> Result<(), Refusal> {
    match written.len() > most {
        true => Err(Refusal::new(Reason::InvalidField, format!("{} of them; at most {most}", written.len()))
            .field(path)
            .hint("ask in several requests")),
        false => Ok(()),
    }
}

fn answer(digests: &Digests, node: Node) -> v1::DossierNode {
    let bytes = |digest: DossierDigest| digest.to_bytes().to_vec().into();
    if digests.count(node) > COMPARE_LISTED_MAX && !node.is_bottom() {
        let children = node.children().map(|child| sum(digests.sum(child)));
        return v1::DossierNode { children: children.collect(), dossiers: Vec::new() };
    }
    let dossiers = digests
        .dossiers(node)
        .map(|found| v1::DossierDigest { dossier_code: found.code.to_owned(), digest: bytes(found.digest) });
    v1::DossierNode { children: Vec::new(), dossiers: dossiers.collect() }
}

fn sum(sum: Sum) -> v1::DossierSum {
    match sum.count {
        0 => v1::DossierSum::default(),
        dossiers => v1::DossierSum { dossiers, sum: sum.sum.to_be_bytes().to_vec().into() },
    }
}

fn refusal(fault: &CompareFault) -> Refusal {
    match fault {
        CompareFault::TooMany => Refusal::new(Reason::InvalidField, fault.to_string())
            .field("from_day")
            .fact("limit", COMPARE_DOSSIERS_MAX)
            .hint("compare shorter periods, or single organs"),
        CompareFault::Busy => Refusal::new(Reason::Overloaded, fault.to_string())
            .hint("compare again after the retry delay")
            .retry_after(RETRY_DELAY),
        CompareFault::Log(error) => ledger_failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(from: &str, to: &str) -> v1::CompareRequest {
        v1::CompareRequest { from_day: from.to_owned(), to_day: to.to_owned(), ..Default::default() }
    }

    #[test]
    fn an_extent_is_of_the_organ_itself_and_of_all_days_unless_it_says_so() {
        let h49 = OrganId::parse("H49").unwrap();
        let all = extent(&request("", ""), &h49).unwrap();
        assert_eq!(all, Extent { at_or_below: h49.clone(), days: (0, 99_999_999) });
        let june = extent(&request("2026-06-01", "2026-06-30"), &h49).unwrap();
        assert_eq!(june.days, (20_260_601, 20_260_630));
        for bad in [request("2026-6-1", ""), request("", "2026-06-31")] {
            assert_eq!(extent(&bad, &h49).unwrap_err().reason(), Reason::InvalidField);
        }
        let other = v1::CompareRequest { at_or_below: "000.00.12.H50".to_owned(), ..request("", "") };
        assert_eq!(extent(&other, &h49).unwrap().at_or_below.as_str(), "H50.12");
    }

    #[test]
    fn what_is_asked_for_is_bounded_and_of_the_organ() {
        let top = OrganId::parse("H49").unwrap();
        let codes = |codes: &[&str]| {
            read_codes(&codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>(), &top)
        };
        assert_eq!(codes(&["H49.1-20260101-1", "000.00.00.H49-260101-2"]).unwrap().len(), 2);
        for (bad, reason) in [
            (vec!["H50-20260101-1"], Reason::InvalidField),
            (vec!["H49"], Reason::InvalidDossierCode),
            (vec!["H49-20260101-1"; 101], Reason::InvalidField),
        ] {
            assert_eq!(codes(&bad).unwrap_err().reason(), reason);
        }
        assert_eq!(read_nodes(&[String::new(), "0f".to_owned()]).unwrap().len(), 2);
        assert!(read_nodes(&["x".to_owned()]).is_err() && read_nodes(&vec![String::new(); 501]).is_err());
    }
}
