use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::delivery::{Progress, State};
use super::super::limits::STATUS_REPORTS_MAX;
use super::*;

const BOTH: [Party; 2] = [Party::Sender, Party::Recipient];

fn transport(state: State, attempt: u32) -> Progress {
    Progress { state, attempt, ..Progress::accepted(Timestamp::from_micros(1_000_000)) }
}

fn report(code: StatusCode, reason: &str) -> Report {
    Report { status: Status { code, stated_at: None, staff: Staff::default() }, reason: reason.to_owned() }
}

/// The recipient reports something new with a reason, the document being there.
fn says(now: &Standing, code: StatusCode) -> Result<Decided, ReportRefused> {
    decide(now, &transport(State::Delivered, 1), &BOTH, &report(code, "vì"), [].iter())
}

fn stands(status: Option<StatusCode>) -> Standing {
    Standing { status, ..Standing::default() }
}

#[test]
fn codes_are_those_of_the_standard() {
    let written: Vec<_> = StatusCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(written, ["01", "02", "03", "04", "05", "06", "13", "15", "16"]);
    for code in StatusCode::ALL {
        assert_eq!(code.as_str().parse(), Ok(code.number()));
        assert_eq!(StatusCode::from_number(code.number()), Some(code));
    }
    assert_eq!([0, 7, 14, 17].map(StatusCode::from_number), [None; 4]);
}

/// Every pair of the table: which status can follow which.
#[test]
fn what_follows_what() {
    use StatusCode::{Accepted, Arrived, Assigned, Done, InProcess, Refused};
    let follow: [(Option<StatusCode>, &[StatusCode]); 7] = [
        (None, &[Arrived, Refused, Accepted]),
        (Some(Arrived), &[Refused, Accepted]),
        (Some(Refused), &[]),
        (Some(Accepted), &[Assigned, InProcess, Done]),
        (Some(Assigned), &[Assigned, InProcess, Done]),
        (Some(InProcess), &[Assigned, InProcess, Done]),
        (Some(Done), &[]),
    ];
    for (standing, expected) in follow {
        for code in [Arrived, Refused, Accepted, Assigned, InProcess, Done] {
            let answer = says(&stands(standing), code);
            match expected.contains(&code) {
                true => assert_eq!(
                    answer,
                    Ok(Decided::Recorded(Standing { status: Some(code), request: None, reports: 1 }))
                ),
                false => assert_eq!(
                    answer,
                    Err(ReportRefused::NotNext { code, standing, expected: expected.to_vec() })
                ),
            }
        }
    }
    let refused = says(&stands(Some(Arrived)), Done).unwrap_err();
    assert_eq!(refused.to_string(), "status 06 cannot follow 01; expected: 02, 03");
}

#[test]
fn a_reason_where_the_law_wants_one() {
    for code in [StatusCode::Refused, StatusCode::RecallAsked, StatusCode::ChangeRefused] {
        let now = Standing { request: Some(Request::Recall), ..stands(None) };
        let blank = report(code, " ");
        let answer = decide(&now, &transport(State::Delivered, 1), &BOTH, &blank, [].iter());
        assert_eq!(answer, Err(ReportRefused::NoReason(code)));
        assert!(says(&now, code).is_ok());
    }
}

#[test]
fn each_status_is_one_partys_word() {
    for code in StatusCode::ALL {
        let stranger = match Party::of(code) {
            Party::Sender => Party::Recipient,
            Party::Recipient => Party::Sender,
        };
        let now = Standing { request: Some(Request::Recall), ..stands(None) };
        let answer =
            decide(&now, &transport(State::Delivered, 1), &[stranger], &report(code, "vì"), [].iter());
        assert_eq!(answer, Err(ReportRefused::NotYours(code)));
    }
}

#[test]
fn only_what_was_handed_over_has_a_status() {
    for state in State::ALL {
        let say = |attempt, code| {
            decide(&stands(None), &transport(state, attempt), &BOTH, &report(code, "vì"), [].iter())
        };
        assert_eq!(say(0, StatusCode::Accepted), Err(ReportRefused::NotHandedOver(state)));
        match state {
            State::Expired | State::Cancelled | State::Redirected => {
                assert_eq!(say(1, StatusCode::Accepted), Err(ReportRefused::NotHandedOver(state)));
            }
            // What its system does not take, its clerks cannot have accepted.
            State::Rejected => {
                assert!(say(1, StatusCode::Refused).is_ok());
                let refused = say(1, StatusCode::Accepted).unwrap_err();
                assert!(
                    matches!(refused, ReportRefused::NotNext { expected, .. } if expected == [StatusCode::Refused])
                );
            }
            // A report may overtake the settlement.
            State::Queued | State::InFlight | State::Waiting | State::Delivered | State::Dead => {
                assert!(say(1, StatusCode::Arrived).is_ok() && say(1, StatusCode::Accepted).is_ok());
            }
        }
    }
}

#[test]
fn requests_are_answered_once() {
    let done = stands(Some(StatusCode::Done));
    for code in [StatusCode::RecallAsked, StatusCode::ChangeAgreed, StatusCode::ChangeRefused] {
        assert_eq!(says(&done, code), Err(ReportRefused::NoRequest(code)));
    }
    let recall = Standing { request: Some(Request::Recall), ..done };
    let update = Standing { request: Some(Request::Update), ..done };
    assert_eq!(
        says(&recall, StatusCode::RecallAsked),
        Ok(Decided::Recorded(Standing { reports: 1, ..recall }))
    );
    let refused = Ok(Decided::Recorded(Standing { request: None, reports: 1, ..done }));
    assert_eq!(says(&recall, StatusCode::ChangeRefused), refused);
    assert_eq!(says(&update, StatusCode::ChangeRefused), refused);
    assert_eq!(says(&update, StatusCode::ChangeAgreed), refused);
    assert_eq!(
        says(&update, StatusCode::RecallAsked),
        Err(ReportRefused::NoRequest(StatusCode::RecallAsked))
    );
    let given_back = Standing { status: Some(StatusCode::ChangeAgreed), request: None, reports: 1 };
    assert_eq!(says(&recall, StatusCode::ChangeAgreed), Ok(Decided::Recorded(given_back)));
    assert_eq!(given_back.expected(&transport(State::Delivered, 1)), []);
}

#[test]
fn reports_are_bounded_and_the_end_is_always_possible() {
    let full = Standing { status: Some(StatusCode::InProcess), request: None, reports: STATUS_REPORTS_MAX };
    assert_eq!(full.expected(&transport(State::Delivered, 1)), [StatusCode::Done]);
    assert!(says(&full, StatusCode::InProcess).is_err() && says(&full, StatusCode::Done).is_ok());
}

fn any_code() -> impl Strategy<Value = StatusCode> {
    (0..StatusCode::ALL.len()).prop_map(|n| StatusCode::ALL[n])
}

fn any_state() -> impl Strategy<Value = State> {
    (0..State::ALL.len()).prop_map(|n| State::ALL[n])
}

/// Plays a sequence; gives what was recorded.
fn play(steps: &[(StatusCode, u8, State, Option<Request>)]) -> (Standing, Vec<Report>) {
    let (mut now, mut recorded) = (Standing::default(), Vec::<Report>::new());
    for (code, stage, state, asked) in steps {
        now.request = now.request.or(*asked);
        let report = report(*code, &stage.to_string());
        let progress = transport(*state, 1);
        match decide(&now, &progress, &BOTH, &report, recorded.iter()) {
            Ok(Decided::Recorded(next)) => {
                assert!(!recorded.contains(&report), "what is recorded is new");
                assert_eq!(next.reports, now.reports + 1);
                now = next;
                recorded.push(report);
            }
            Ok(Decided::Repeated(at)) => assert_eq!(recorded[at], report, "the first one is answered"),
            Err(ReportRefused::NotNext { code, expected, .. }) => assert!(!expected.contains(&code)),
            Err(_) => {}
        }
    }
    (now, recorded)
}

proptest! {
    // The same sequences each time; a failure is the same on every machine.
    #![proptest_config(ProptestConfig { cases: 100_000, rng_seed: RngSeed::Fixed(20_250_701), ..ProptestConfig::default() })]

    /// No sequence in any order, with repeats, contradicts an earlier report or reaches a standing without a way to an end.
    #[test]
    fn any_sequence_makes_sense(
        steps in prop::collection::vec(
            (any_code(), 0_u8..3, any_state(), prop::option::weighted(0.1, prop_oneof![Just(Request::Recall), Just(Request::Update), Just(Request::Replacement)])),
            0..24,
        )
    ) {
        let (now, recorded) = play(&steps);
        let codes: Vec<_> = recorded.iter().map(|report| report.status.code).collect();
        let count = |code| codes.iter().filter(|known| **known == code).count();
        let first = |code| codes.iter().position(|known| *known == code);
        // Refused and accepted are never both said, and each of these once.
        prop_assert!(count(StatusCode::Refused) + count(StatusCode::Accepted) <= 1);
        prop_assert!(count(StatusCode::Arrived) <= 1 && count(StatusCode::Done) <= 1);
        // Nothing is worked on before it is accepted, nor after it is done.
        let line = [StatusCode::Assigned, StatusCode::InProcess];
        for (at, _) in codes.iter().enumerate().filter(|(_, code)| line.contains(code)) {
            prop_assert!(first(StatusCode::Accepted).is_some_and(|accepted| accepted < at));
            prop_assert!(first(StatusCode::Done).is_none_or(|done| at < done));
        }
        // From wherever it stands, an end can be reached: by what is expected, the document being there.
        let there = transport(State::Delivered, 1);
        let ends = [StatusCode::Refused, StatusCode::Done, StatusCode::ChangeAgreed];
        let is_over = now.status.is_some_and(|status| ends.contains(&status));
        prop_assert_eq!(now.expected(&there).is_empty(), is_over);
        for code in now.expected(&there) {
            prop_assert!(says(&now, code).is_ok());
        }
        // Everything that was ever recorded is answered with itself again.
        for (at, report) in recorded.iter().enumerate() {
            let again = decide(&now, &transport(State::Expired, 0), &BOTH, report, recorded.iter());
            prop_assert_eq!(again, Ok(Decided::Repeated(at)));
        }
    }
}
