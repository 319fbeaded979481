//! Comparing one's own dossiers with those a gateway has: opens the nodes that differ until the steps are found that one side lacks.

use std::collections::BTreeMap;

use super::{Agency, CALL_TIMEOUT, CallError, timed};
use crate::domain::dossier::{Digests, DossierDigest, Fingerprint, Node, Sum};
use crate::domain::limits::{COMPARE_CODES_MAX, COMPARE_NODES_MAX};
use crate::proto::v1;

/// Steps of one dossier, by their numbers.
pub type Steps = BTreeMap<u32, Fingerprint>;

/// How the steps of one dossier differ; each by the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The normal form of its code.
    pub dossier: String,
    /// The gateway has not got them.
    pub missing_there: Vec<u32>,
    /// Only the gateway has them.
    pub missing_here: Vec<u32>,
    /// Both have them, with other content.
    pub conflicting: Vec<u32>,
}

impl Difference {
    /// Of the steps here and there.
    fn of(dossier: String, here: &Steps, there: &Steps) -> Self {
        let only = |one: &Steps, other: &Steps| {
            one.keys().filter(|number| !other.contains_key(number)).copied().collect()
        };
        let both = here.iter().filter(|(number, one)| there.get(number).is_some_and(|other| other != *one));
        Self {
            missing_there: only(here, there),
            missing_here: only(there, here),
            conflicting: both.map(|(number, _)| *number).collect(),
            dossier,
        }
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing_there.is_empty() && self.missing_here.is_empty() && self.conflicting.is_empty()
    }
}

/// What a comparison has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many dossiers the gateway has.
    pub dossiers_there: u64,
    /// Those that differ, in the order of their codes.
    pub differences: Vec<Difference>,
}

impl Agency {
    /// One question of a comparison.
    pub async fn compare(&self, request: v1::CompareRequest) -> Result<v1::CompareResponse, CallError> {
        let compare = async || self.dossiers.clone().compare(timed(request.clone(), 2 * CALL_TIMEOUT)).await;
        self.patience.call(compare).await
    }

    /// Compares: `extent` says which dossiers, `digests` are of those here, and `steps` gives the steps of one of them.
    pub async fn differences(
        &self,
        extent: &v1::CompareRequest,
        digests: &Digests,
        steps: impl Fn(&str) -> Steps,
    ) -> Result<Comparison, CallError> {
        let (dossiers_there, mut differing) = self.differing(extent, digests).await?;
        differing.sort_unstable();
        let mut differences = Vec::new();
        for codes in differing.chunks(COMPARE_CODES_MAX) {
            let request = v1::CompareRequest { dossier_codes: codes.to_vec(), ..extent.clone() };
            let answer = self.compare(request).await?.dossiers;
            if answer.len() != codes.len() {
                return Err(CallError::unexpected("not as many dossiers as were asked for"));
            }
            for (code, there) in codes.iter().zip(answer) {
                let difference = Difference::of(code.clone(), &steps(code), &read_steps(&there)?);
                // What differed when the comparison began may have come to be the same.
                if !difference.is_none() {
                    differences.push(difference);
                }
            }
        }
        Ok(Comparison { dossiers_there, differences })
    }

    /// How many dossiers the gateway has, and the codes of those that are not the same.
    async fn differing(
        &self,
        extent: &v1::CompareRequest,
        digests: &Digests,
    ) -> Result<(u64, Vec<String>), CallError> {
        let mut differing = Vec::new();
        let mut open = vec![Node::ROOT];
        let mut there = None;
        while !open.is_empty() {
            // The last first, so that few are open at a time.
            let asked = open.split_off(open.len().saturating_sub(COMPARE_NODES_MAX));
            let nodes = asked.iter().map(Node::to_string).collect();
            let answers = self.compare(v1::CompareRequest { nodes, ..extent.clone() }).await?.nodes;
            if answers.len() != asked.len() {
                return Err(CallError::unexpected("not as many nodes as were asked for"));
            }
            for (node, answer) in asked.into_iter().zip(&answers) {
                if there.is_none() {
                    let below: u64 = answer.children.iter().map(|child| child.dossiers).sum();
                    there = Some(below + answer.dossiers.len() as u64);
                }
                match answer.children.is_empty() {
                    true => listed(digests, node, answer, &mut differing)?,
                    false => opened(digests, node, answer, &mut open)?,
                }
            }
        }
        Ok((there.unwrap_or_default(), differing))
    }
}

/// The children of a node that differ are opened next.
fn opened(
    digests: &Digests,
    node: Node,
    answer: &v1::DossierNode,
    open: &mut Vec<Node>,
) -> Result<(), CallError> {
    let children: Vec<Node> = node.children().collect();
    if children.len() != answer.children.len() {
        return Err(CallError::unexpected("a node with other than sixteen children"));
    }
    for (child, there) in children.into_iter().zip(&answer.children) {
        if digests.sum(child) != read_sum(there)? {
            open.push(child);
        }
    }
    Ok(())
}

/// Of a node whose dossiers are known, those that differ.
fn listed(
    digests: &Digests,
    node: Node,
    answer: &v1::DossierNode,
    differing: &mut Vec<String>,
) -> Result<(), CallError> {
    let mut here: BTreeMap<&str, DossierDigest> =
        digests.dossiers(node).map(|found| (found.code, found.digest)).collect();
    for there in &answer.dossiers {
        let digest = DossierDigest::from_slice(&there.digest);
        let digest = digest.ok_or_else(|| CallError::unexpected("a digest that is none"))?;
        if here.remove(there.dossier_code.as_str()) != Some(digest) {
            differing.push(there.dossier_code.clone());
        }
    }
    differing.extend(here.into_keys().map(str::to_owned));
    Ok(())
}

fn read_sum(sum: &v1::DossierSum) -> Result<Sum, CallError> {
    if sum.dossiers == 0 {
        return Ok(Sum::default());
    }
    let bytes = <[u8; 16]>::try_from(sum.sum.as_ref());
    let bytes = bytes.map_err(|_| CallError::unexpected("a sum of digests that is none"))?;
    Ok(Sum { count: sum.dossiers, sum: u128::from_be_bytes(bytes) })
}

fn read_steps(dossier: &v1::DossierFingerprints) -> Result<Steps, CallError> {
    let step = |step: &v1::StepFingerprint| Some((step.step, Fingerprint::from_slice(&step.fingerprint)?));
    let steps: Option<Steps> = dossier.steps.iter().map(step).collect();
    steps.ok_or_else(|| CallError::unexpected("a fingerprint that is none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Hash;

    fn steps(steps: &[(u32, &str)]) -> Steps {
        steps.iter().map(|(number, text)| (*number, Fingerprint::of(&Hash::of(text.as_bytes())))).collect()
    }

    #[test]
    fn each_step_that_differs_is_named_with_the_side_that_lacks_it() {
        let here = steps(&[(1, "a"), (2, "b"), (3, "c")]);
        let there = steps(&[(1, "a"), (2, "x"), (4, "d"), (5, "e")]);
        let difference = Difference::of("H49-20260101-1".to_owned(), &here, &there);
        assert_eq!(difference.missing_there, [3]);
        assert_eq!(difference.missing_here, [4, 5]);
        assert_eq!(difference.conflicting, [2]);
        assert!(Difference::of(String::new(), &here, &here).is_none() && !difference.is_none());
    }

    #[test]
    fn answers_that_make_no_sense_are_refused() {
        let digests = Digests::default();
        let digest = v1::DossierDigest { dossier_code: "H49-20260101-1".to_owned(), digest: vec![1].into() };
        let answer = v1::DossierNode { dossiers: vec![digest], ..Default::default() };
        assert!(listed(&digests, Node::ROOT, &answer, &mut Vec::new()).is_err());
        let sum = v1::DossierSum { dossiers: 1, sum: vec![0; 15].into() };
        assert!(read_sum(&sum).is_err());
        let answer = v1::DossierNode { children: vec![sum], ..Default::default() };
        assert!(opened(&digests, Node::ROOT, &answer, &mut Vec::new()).is_err());
    }
}
