use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::limits::{DOSSIER_GAP_STEPS_MAX, DOSSIER_STEPS_MAX};
use super::super::message::Hash;
use super::super::time::Timestamp;
use super::DossierStatus::*;
use super::StepRefused::{BackToStart, Conflict, EndTooEarly, Ended, Number, TooFar};
use super::*;

/// A step whose content follows from its number, status and time.
fn offer(number: u32, status: Option<DossierStatus>, second: i64) -> Offer {
    let content = format!("{number} {status:?} {second}");
    Offer {
        number,
        status,
        occurred_at: Timestamp::from_micros(second * 1_000_000),
        fingerprint: Fingerprint::of(&Hash::of(content.as_bytes())),
    }
}

/// Steps as `(number, status)`, each a second after the one of the number before it.
fn course(steps: &[(u32, DossierStatus)]) -> Course {
    let mut course = Course::default();
    for (number, status) in steps {
        course.take(&offer(*number, Some(*status), i64::from(*number))).unwrap();
    }
    course
}

#[derive(Clone, Debug, PartialEq)]
enum Comes {
    /// What is shown, with which flags, and what is told to be missing.
    Taken(&'static [u32], Flags, &'static [u32]),
    Again,
    Refused(StepRefused),
}
use Comes::{Again, Refused as No, Taken as Yes};

type Case = (&'static str, &'static [(u32, DossierStatus)], (u32, Option<DossierStatus>, i64), Comes);

const NONE: Flags = Flags(0);
const UNUSUAL: Flags = Flags::UNUSUAL;
const LATE: Flags = Flags::LATE;

fn cases() -> Vec<Case> {
    let conflict = |number, status| No(Conflict { number, status: Some(status) });
    vec![
        ("the first online", &[], (1, Some(Registered), 1), Yes(&[1], NONE, &[])),
        ("the first at a desk", &[], (1, Some(Accepted), 1), Yes(&[1], NONE, &[])),
        ("refused at a desk", &[], (1, Some(Refused), 1), Yes(&[1], NONE, &[])),
        ("begun in the middle", &[], (1, Some(InProcess), 1), Yes(&[1], UNUSUAL, &[])),
        ("ended at once", &[], (1, Some(Returned), 1), Yes(&[1], UNUSUAL, &[])),
        ("the usual next", &[(1, Registered)], (2, Some(Accepted), 2), Yes(&[2], NONE, &[])),
        ("a status left out", &[(1, Registered)], (2, Some(Processed), 2), Yes(&[2], UNUSUAL, &[])),
        ("another stage of work", &[(1, InProcess)], (2, Some(InProcess), 2), Yes(&[2], NONE, &[])),
        ("accepted twice", &[(1, Accepted)], (2, Some(Accepted), 2), Yes(&[2], UNUSUAL, &[])),
        (
            "resumed after a stop",
            &[(1, Accepted), (2, Stopped)],
            (3, Some(InProcess), 3),
            Yes(&[3], NONE, &[]),
        ),
        (
            "back to work after the result",
            &[(1, Accepted), (2, Processed)],
            (3, Some(InProcess), 3),
            Yes(&[3], UNUSUAL, &[]),
        ),
        ("the end", &[(1, Accepted), (2, Processed)], (3, Some(Returned), 3), Yes(&[3], NONE, &[])),
        ("a duplicate", &[(1, Registered), (2, Accepted)], (1, Some(Registered), 1), Again),
        ("a duplicate of the end", &[(1, Accepted), (2, Returned)], (2, Some(Returned), 2), Again),
        ("a duplicate of what is held", &[(1, Registered), (4, InProcess)], (4, Some(InProcess), 4), Again),
        (
            "another status for a step",
            &[(1, Registered), (2, Accepted)],
            (2, Some(InProcess), 2),
            conflict(2, Accepted),
        ),
        ("another time for a step", &[(1, Registered)], (1, Some(Registered), 9), conflict(1, Registered)),
        (
            "another content for the end",
            &[(1, Accepted), (2, Returned)],
            (2, Some(Processed), 2),
            conflict(2, Returned),
        ),
        (
            "another content for a held step",
            &[(1, Registered), (4, InProcess)],
            (4, Some(Stopped), 4),
            conflict(4, InProcess),
        ),
        (
            "a gap",
            &[(1, Registered), (2, Accepted), (3, InProcess)],
            (5, Some(Processed), 5),
            Yes(&[], NONE, &[4]),
        ),
        ("a wide gap", &[(1, Registered)], (5, Some(Processed), 5), Yes(&[], NONE, &[2, 3, 4])),
        ("the first is missing", &[], (2, Some(InProcess), 2), Yes(&[], NONE, &[1])),
        (
            "a second gap",
            &[(1, Registered), (3, InProcess)],
            (5, Some(Processed), 5),
            Yes(&[], NONE, &[2, 4]),
        ),
        ("a filler", &[(1, Registered), (3, InProcess)], (2, Some(Accepted), 2), Yes(&[2, 3], NONE, &[])),
        (
            "a filler of one of two gaps",
            &[(1, Registered), (3, InProcess), (5, Processed)],
            (2, Some(Accepted), 2),
            Yes(&[2, 3], NONE, &[]),
        ),
        (
            "an unusual filler",
            &[(1, Registered), (3, InProcess)],
            (2, Some(Stopped), 2),
            Yes(&[2, 3], UNUSUAL, &[]),
        ),
        (
            "a filler of a dossier that has ended",
            &[(1, Registered), (3, Returned)],
            (2, Some(Accepted), 2),
            Yes(&[2, 3], NONE, &[]),
        ),
        (
            "a step after the end",
            &[(1, Accepted), (2, Returned)],
            (3, Some(InProcess), 3),
            No(Ended { number: 3, end: 2 }),
        ),
        (
            "the end twice",
            &[(1, Accepted), (2, Returned)],
            (3, Some(Returned), 3),
            No(Ended { number: 3, end: 2 }),
        ),
        (
            "far after the end",
            &[(1, Accepted), (2, Returned)],
            (9, Some(InProcess), 9),
            No(Ended { number: 9, end: 2 }),
        ),
        (
            "an own code after the end",
            &[(1, Accepted), (2, Returned)],
            (3, None, 3),
            No(Ended { number: 3, end: 2 }),
        ),
        (
            "an end before what is known",
            &[(1, Accepted), (3, InProcess)],
            (2, Some(Returned), 2),
            No(EndTooEarly { number: 2, later: 3 }),
        ),
        (
            "back to registered",
            &[(1, Accepted)],
            (2, Some(Registered), 2),
            No(BackToStart { number: 2, before: 1 }),
        ),
        ("registered twice", &[(1, Registered)], (2, Some(Registered), 2), Yes(&[2], UNUSUAL, &[])),
        (
            "a filler back to registered",
            &[(1, Accepted), (3, InProcess)],
            (2, Some(Registered), 2),
            No(BackToStart { number: 2, before: 1 }),
        ),
        ("number 0", &[], (0, Some(Registered), 1), No(Number(0))),
        (
            "a number beyond all",
            &[],
            (DOSSIER_STEPS_MAX + 1, Some(Registered), 1),
            No(Number(DOSSIER_STEPS_MAX + 1)),
        ),
        (
            "too far ahead",
            &[(1, Registered)],
            (DOSSIER_GAP_STEPS_MAX + 2, Some(InProcess), 2),
            No(TooFar { number: DOSSIER_GAP_STEPS_MAX + 2, shown: 1 }),
        ),
        ("an own code no map knows", &[(1, Registered)], (2, None, 2), Yes(&[2], Flags::UNMAPPED, &[])),
        ("an own code first of all", &[], (1, None, 1), Yes(&[1], Flags::UNMAPPED, &[])),
        (
            "before the step before",
            &[(1, Registered), (2, Accepted)],
            (3, Some(InProcess), 1),
            Yes(&[3], Flags::TIME_BACK, &[]),
        ),
    ]
}

#[test]
fn each_step_gets_what_the_table_says() {
    let cases = cases();
    assert!(cases.len() >= 40);
    for (what, before, (number, status, second), comes) in cases {
        let mut course = course(before);
        let untouched = course.clone();
        let came = match course.take(&offer(number, status, second)) {
            Ok(taken) if taken.repeated => {
                assert_eq!(course, untouched, "{what}");
                Again
            }
            Ok(taken) => Yes(
                Box::leak(taken.shown.into_boxed_slice()),
                taken.flags,
                Box::leak(taken.missing.into_boxed_slice()),
            ),
            Err(why) => {
                assert_eq!(course, untouched, "{what}");
                No(why)
            }
        };
        assert_eq!(came, comes, "{what}");
    }
}

#[test]
fn a_gap_whose_time_is_up_is_marked_and_its_filler_is_late() {
    let mut course = course(&[(1, Registered), (4, InProcess), (5, Processed), (8, Returned)]);
    assert_eq!(course.release(4), [4, 5]);
    assert!(course.mark(4).unwrap().flags.has(Flags::AFTER_GAP));
    assert!(!course.mark(5).unwrap().flags.has(Flags::AFTER_GAP));
    assert_eq!((course.shown(), course.missing()), (5, vec![2, 3, 6, 7]));
    assert!(course.is_holding());
    let late = course.take(&offer(3, Some(InProcess), 3)).unwrap();
    assert_eq!((late.shown, late.flags, late.missing), (vec![3], LATE, vec![2]));
    // The one between is not late: nobody has been shown a later one.
    let filler = course.take(&offer(6, Some(PaymentRequired), 6)).unwrap();
    assert_eq!((filler.shown, filler.flags), (vec![6], NONE));
    assert_eq!(course.release(100), [8]);
    assert_eq!(course.release(100), [0; 0]);
    assert!(course.mark(8).unwrap().flags.has(Flags::AFTER_GAP) && !course.is_holding());
    let late = course.take(&offer(7, Some(Returned), 7));
    assert_eq!(late, Err(EndTooEarly { number: 7, later: 8 }));
    let late = course.take(&offer(7, Some(Processed), 7)).unwrap();
    assert_eq!((late.shown, late.flags), (vec![7], LATE));
    assert_eq!(course.status(), Some(Returned));
}

#[test]
fn the_ten_have_the_portals_numbers_and_texts() {
    for (number, status) in (1..).zip(DossierStatus::ALL) {
        assert_eq!(DossierStatus::from_number(number), Some(status));
        assert_eq!(u32::from(status.number()), number);
        assert!(!status.usually_before().contains(&Registered));
        assert!(!status.vietnamese().is_empty() && !status.english().is_empty());
    }
    assert_eq!(DossierStatus::from_number(0), None);
    assert_eq!(DossierStatus::from_number(11), None);
    assert!(Returned.usually_before().is_empty());
}

#[test]
fn a_fingerprint_is_of_everything_a_step_says() {
    let step = Step {
        dossier: DossierCode::parse("H20.14-20200703-0002").unwrap(),
        procedure: ProcedureCode::parse("1.004194").unwrap(),
        number: 2,
        status: StepStatus::Known(Accepted),
        actor: Actor { name: "Nguyễn Văn A".to_owned(), ..Actor::default() },
        occurred_at: Timestamp::from_micros(5),
        started_at: None,
        due_at: None,
        note: String::new(),
        documents: Vec::new(),
    };
    let own = OwnCode { set: "egov".to_owned(), code: "2".to_owned() };
    let link =
        DocumentLink { sender: OrganId::parse("H20").unwrap(), message_id: MessageId::parse("m-1").unwrap() };
    let time = Some(Timestamp::from_micros(9));
    let changes: [&dyn Fn(&mut Step); 12] = [
        &|_| {},
        &|s| s.number = 3,
        &|s| s.procedure = ProcedureCode::parse("1.004195").unwrap(),
        &|s| s.status = StepStatus::Known(InProcess),
        &|s| s.status = StepStatus::Unmapped(own.clone()),
        &|s| s.actor = Actor { position: s.actor.name.clone(), ..Actor::default() },
        &|s| s.actor.department = "Một cửa".to_owned(),
        &|s| s.occurred_at = Timestamp::from_micros(6),
        &|s| s.started_at = time,
        &|s| s.due_at = time,
        &|s| s.note = "note".to_owned(),
        &|s| s.documents = vec![link.clone()],
    ];
    let changed = |change: &dyn Fn(&mut Step)| {
        let mut step = step.clone();
        change(&mut step);
        step.fingerprint()
    };
    let different: std::collections::HashSet<_> = changes.iter().map(|change| changed(change)).collect();
    assert_eq!(different.len(), changes.len());
    // A map that has learned the code makes no difference.
    let mapped = changed(&|s| s.status = StepStatus::Mapped(own.clone(), Accepted));
    assert_eq!(mapped, changed(&|s| s.status = StepStatus::Unmapped(own.clone())));
}

#[derive(Clone, Debug)]
enum Happens {
    Comes(u32, Option<DossierStatus>, i64),
    Released(u32),
}

fn happens() -> impl Strategy<Value = Happens> {
    let status = prop_oneof![
        8 => (1..=9_u32).prop_map(DossierStatus::from_number),
        1 => Just(Some(Returned)),
        1 => Just(None),
    ];
    prop_oneof![
        9 => (1..=14_u32, status, 0..3_i64).prop_map(|(n, status, s)| Happens::Comes(n, status, s)),
        1 => (0..=14_u32).prop_map(Happens::Released),
    ]
}

#[test]
fn whatever_comes_subscribers_see_each_step_once_and_in_order_but_for_the_late() {
    let config = Config { cases: 20_000, ..Config::default() };
    let chance = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let histories = prop::collection::vec(happens(), 0..40);
    let run = TestRunner::new_with_rng(config, chance).run(&histories, |history| {
        let mut course = Course::default();
        let mut seen: Vec<u32> = Vec::new();
        let mut known: BTreeSet<u32> = BTreeSet::new();
        for happens in history {
            let before = course.clone();
            let shown = match happens {
                Happens::Comes(number, status, second) => match course.take(&offer(number, status, second)) {
                    Ok(taken) => {
                        prop_assert_eq!(taken.repeated, !known.insert(number));
                        prop_assert!(taken.missing.iter().all(|n| *n < number && !known.contains(n)));
                        if taken.flags.has(Flags::LATE) {
                            prop_assert!(seen.iter().any(|seen| *seen > number));
                            prop_assert!(course.mark(number).unwrap().flags.has(Flags::LATE));
                        }
                        taken.shown
                    }
                    Err(_) => {
                        prop_assert_eq!(&course, &before);
                        Vec::new()
                    }
                },
                Happens::Released(up_to) => course.release(up_to),
            };
            for number in shown {
                prop_assert!(!seen.contains(&number), "{} twice", number);
                let flags = course.mark(number).unwrap().flags;
                let highest = seen.iter().max().copied().unwrap_or(0);
                // Whatever does not follow says why.
                match number {
                    n if n == highest + 1 => {}
                    n if n < highest => prop_assert!(flags.has(Flags::LATE)),
                    _ => prop_assert!(flags.has(Flags::AFTER_GAP)),
                }
                seen.push(number);
            }
            let held = course.marks().iter().filter(|mark| !seen.contains(&mark.number));
            prop_assert!(held.clone().all(|mark| mark.number > course.shown()));
            prop_assert_eq!(course.is_holding(), held.count() > 0);
            let ends = course.marks().iter().position(|mark| mark.status == Some(Returned));
            prop_assert!(ends.is_none_or(|place| place + 1 == course.marks().len()));
        }
        // Once every gap's time is up, all is shown.
        seen.extend(course.release(u32::MAX));
        prop_assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), known);
        Ok(())
    });
    run.unwrap();
}
