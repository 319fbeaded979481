//! The checker finds what is wrong: a right picture, spoiled in every way.

use super::*;

fn mark(code: &str, step: u32, position: u64) -> Mark {
    let digest = u64::from(step) * 1_000 + code.len() as u64;
    let code = code.to_owned();
    Mark { code, step, digest, position, is_late: false, missing_from: 0, is_repeated: false }
}

/// Two dossiers, steps in turn; one has a gap before its third step, and the second comes late.
fn picture() -> Vec<Mark> {
    vec![
        mark("A", 1, 1),
        mark("BB", 1, 2),
        mark("A", 2, 3),
        Mark { missing_from: 2, ..mark("BB", 3, 4) },
        mark("A", 3, 5),
        Mark { is_late: true, ..mark("BB", 2, 6) },
        mark("BB", 4, 7),
    ]
}

fn books() -> Books {
    let mut books = Books::default();
    picture().iter().for_each(|mark| books.enter(mark));
    books
}

fn judged(shown: Vec<Mark>) -> Verdict {
    check(&books(), |_| true, shown.into_iter(), Manner::Once)
}

/// The right picture, changed; what is wrong with it then.
fn spoiled(change: impl FnOnce(&mut Vec<Mark>)) -> String {
    let mut shown = picture();
    change(&mut shown);
    judged(shown).violations.join("; ")
}

#[test]
fn a_right_picture_is_right() {
    let verdict = judged(picture());
    assert_eq!(verdict.violations, [""; 0]);
    let counts = Counts { dossiers: 2, in_order: 1, equal: 7, gaps: 1, late: 1, repeated: 0 };
    assert_eq!(verdict.counts, counts);
    let only =
        check(&books(), |code| code == "A", picture().into_iter().filter(|m| m.code == "A"), Manner::Once);
    assert_eq!((only.violations.len(), only.counts.equal), (0, 3));
}

#[test]
fn a_spoiled_picture_is_not() {
    for (what, found, change) in [
        ("lost", "never shown", (|shown| drop(shown.pop())) as fn(&mut Vec<Mark>)),
        ("lost in the middle", "never shown", |shown| drop(shown.remove(2))),
        ("lost altogether", "never shown", Vec::clear),
        ("twice", "shown again", |shown| shown.push(mark("A", 3, 5))),
        ("other content", "not its owner's", |shown| shown[4].digest += 1),
        ("another position", "another position", |shown| shown[6].position += 1),
        ("invented dossier", "nobody has published it", |shown| shown.push(mark("C", 1, 8))),
        ("invented step", "nobody has published it", |shown| shown.push(mark("A", 4, 8))),
        ("swapped", "shown after position", |shown| shown.swap(2, 4)),
        ("late, and not said", "late: false", |shown| shown[5].is_late = false),
        ("said late, and is not", "late: true", |shown| shown[4].is_late = true),
        ("a gap, and not said", "gap from 0", |shown| shown[3].missing_from = 0),
        ("another gap", "gap from 1", |shown| shown[3].missing_from = 1),
        ("said a gap, and there is none", "gap from 1", |shown| shown[0].missing_from = 1),
    ] {
        let said = spoiled(change);
        assert!(said.contains(found), "{what}: {said:?}");
    }
    let foreign = check(&books(), |code| code == "A", picture().into_iter(), Manner::Once);
    assert!(foreign.violations.iter().all(|said| said.contains("not for this subscriber")), "{foreign:?}");
    assert_eq!(foreign.violations.len(), 4);
}

#[test]
fn what_may_come_again_is_counted_and_still_compared() {
    let again = |change: fn(&mut Mark)| {
        let mut shown = picture();
        let mut repeated = shown[4].clone();
        change(&mut repeated);
        shown.push(repeated);
        check(&books(), |_| true, shown.into_iter(), Manner::AtLeastOnce)
    };
    let verdict = again(|_| ());
    assert_eq!((verdict.violations.len(), verdict.counts.repeated), (0, 1));
    assert_eq!(again(|mark| mark.digest += 1).violations.len(), 1);
}

#[test]
fn the_books_are_compared_with_the_plan() {
    let plan = crate::plan::Plan { seed: 1, dossiers: 40, quick_percent: 30 };
    let planned = plan.all(&crate::plan::owners());
    let entered = |skip: usize| {
        let mut books = Books::default();
        let steps =
            planned.iter().flat_map(|dossier| dossier.steps.iter().map(move |step| (dossier, step.number)));
        steps.skip(skip).for_each(|(dossier, number)| books.enter(&mark(&dossier.code, number, 0)));
        books.check(&planned);
        books.violations
    };
    assert_eq!(entered(0), [""; 0]);
    assert_eq!(entered(1).len(), 1);
    let mut books = Books::default();
    books.enter(&mark("A", 1, 1));
    books.enter(&Mark { digest: 0, ..mark("A", 1, 1) });
    books.enter(&mark("A", 1, 2));
    assert_eq!(books.violations.len(), 2);
}
