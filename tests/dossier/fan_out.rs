//! One publisher stream and fifty who follow with filters of their own: each gets exactly its share, in order; and one that does not read,
//! with its connection open, does not change the rate of the others.

use std::time::Instant;

use futures_util::future::join_all;
use tonic::Streaming;
use truc::proto::v1;

use crate::TURN;
use crate::line::Client;
use crate::site::{Process, Site, soon};

const OWNER: &str = "H49";
/// Organs below the owner, procedures, and the statuses of the five steps of each dossier.
const UNITS: usize = 20;
const PROCEDURES: usize = 8;
const STATUSES: [i32; 5] = [1, 2, 4, 9, 10];
/// Dossiers of a round, those under way at a time, and steps in one request.
const DOSSIERS: usize = 2_000;
const UNDER_WAY: usize = 50;
const BATCH: usize = 250;
/// Dossiers that come before a round for the one that may not read: more than its connection takes unread.
const BEFORE: usize = 240;
/// Pairs of rounds, with all reading and with one that does not; if the machine is too busy to tell, so many more.
const PAIRS: usize = 7;
const PAIRS_MAX: usize = 21;
const CHANGE_MAX: f64 = 0.05;

/// What one follows.
#[derive(Clone, Copy, Debug, Default)]
struct Interest {
    unit: Option<usize>,
    procedure: Option<usize>,
    status: Option<i32>,
}

/// A step: its dossier's code and number, and what filters look at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    code: String,
    step: usize,
    unit: usize,
    procedure: usize,
}

struct Reader {
    interest: Interest,
    events: Streaming<v1::SubscribeResponse>,
}

fn unit(number: usize) -> String {
    format!("{OWNER}.{}", 10 + number)
}

fn procedure(number: usize) -> String {
    format!("2.{number:06}")
}

/// Fifty interests; the first is that of the one that may not read.
fn interests() -> Vec<Interest> {
    let all = Interest::default();
    let units = (0..UNITS).map(|unit| Interest { unit: Some(unit), ..all });
    let procedures = (0..PROCEDURES).map(|procedure| Interest { procedure: Some(procedure), ..all });
    let statuses = STATUSES.map(|status| Interest { status: Some(status), ..all });
    let both = (0..UNITS).zip(STATUSES.into_iter().cycle());
    let both = both.map(|(unit, status)| Interest { unit: Some(unit), status: Some(status), ..all });
    let three = |procedure| Interest { procedure: Some(procedure), status: Some(10), unit: Some(procedure) };
    let some = units.chain(procedures).chain(statuses).chain([all; 4]).chain((0..3).map(three)).chain(both);
    some.take(50).collect()
}

impl Interest {
    fn has(&self, sent: &Sent) -> bool {
        self.unit.is_none_or(|unit| unit == sent.unit)
            && self.procedure.is_none_or(|procedure| procedure == sent.procedure)
            && self.status.is_none_or(|status| status == STATUSES[sent.step - 1])
    }

    fn filter(&self) -> v1::DossierFilter {
        v1::DossierFilter {
            at_or_below: self.unit.map(unit).into_iter().collect(),
            procedure_codes: self.procedure.map(procedure).into_iter().collect(),
            statuses: self.status.into_iter().collect(),
            own_only: false,
        }
    }
}

impl Sent {
    fn message(&self) -> v1::DossierStep {
        // What the one that may not read follows is large, and little beside the rest.
        let words = if self.unit == 0 { 70 } else { 4 };
        v1::DossierStep {
            dossier_code: self.code.clone(),
            step: self.step as u32,
            procedure_code: procedure(self.procedure),
            status: STATUSES[self.step - 1],
            occurred_time: Some(prost_types::Timestamp {
                seconds: 1_767_574_800 + self.step as i64,
                nanos: 0,
            }),
            note: "chuyển xử lý; ".repeat(words),
            ..Default::default()
        }
    }
}

/// The steps of a round, in the order in which they are sent.
fn steps(round: usize, dossiers: usize, of: impl Fn(usize) -> usize) -> Vec<Sent> {
    let dossiers: Vec<_> = (0..dossiers).collect();
    let under_way = dossiers.chunks(UNDER_WAY);
    let sent = under_way
        .flat_map(|chunk| (1..=STATUSES.len()).flat_map(|step| chunk.iter().map(move |d| (*d, step))));
    let sent = sent.map(|(dossier, step)| {
        let code = format!("{}-20260105-{round:03}{dossier:06}", unit(of(dossier)));
        Sent { code, step, unit: of(dossier), procedure: dossier / UNITS % PROCEDURES }
    });
    sent.collect()
}

async fn client(site: &Site, gateway: &Process) -> Client {
    Client::new(site.channel(gateway, &site.organ(OWNER)).await)
}

/// Publishes on one stream, and waits until all is answered.
async fn publish(mut client: Client, sent: &[Sent]) {
    let requests: Vec<_> =
        sent.chunks(BATCH).map(|batch| batch.iter().map(Sent::message).collect()).collect();
    let requests = requests.into_iter().map(|steps| v1::PublishStreamRequest { organ: String::new(), steps });
    let mut answers = client.publish_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
    while let Some(answer) = soon("an answer", answers.message()).await.unwrap() {
        assert!(answer.results.iter().all(|result| result.position > 0), "{answer:?}");
    }
}

impl Reader {
    async fn open(site: &Site, gateway: &Process, interest: Interest) -> Self {
        let request = v1::SubscribeRequest { filter: Some(interest.filter()), ..Default::default() };
        let events = client(site, gateway).await.subscribe(request).await.unwrap().into_inner();
        Self { interest, events }
    }

    /// Reads what is for it of what is sent: exactly that, in order. Gives when it had it.
    async fn read(&mut self, sent: &[Sent]) -> Instant {
        let mut expected = sent.iter().filter(|sent| self.interest.has(sent)).peekable();
        while expected.peek().is_some() {
            let response = soon("events", self.events.message()).await.unwrap().unwrap();
            for event in response.events {
                let step = event.step.as_ref().unwrap().step as usize;
                let wanted = expected.next().map(|sent| (sent.code.as_str(), sent.step));
                assert_eq!(Some((event.dossier_code.as_str(), step)), wanted, "{:?}", self.interest);
            }
        }
        Instant::now()
    }
}

/// Publishes, and has all read but the one that does not. Gives what the others read a second.
async fn round(publisher: &Client, readers: &mut [Reader], sent: &[Sent], all_read: bool) -> f64 {
    let (first, others) = readers.split_first_mut().unwrap();
    let started = Instant::now();
    let read = join_all(others.iter_mut().map(|reader| reader.read(sent)));
    let first_reads = async {
        if all_read {
            first.read(sent).await;
        }
    };
    let ((), ends, ()) = tokio::join!(publish(publisher.clone(), sent), read, first_reads);
    let end = ends.into_iter().max().unwrap();
    let count: usize =
        others.iter().map(|reader| sent.iter().filter(|sent| reader.interest.has(sent)).count()).sum();
    count as f64 / (end - started).as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_get_their_shares_and_one_that_does_not_read_holds_nobody_up() {
    let _turn = TURN.lock().await;
    let site = Site::new(&[]);
    let gateway = site.start();
    let publisher = client(&site, &gateway).await;
    let mut readers =
        join_all(interests().into_iter().map(|interest| Reader::open(&site, &gateway, interest))).await;
    assert_eq!(readers.len(), 50);
    let (mut with_all, mut with_one_stopped, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0;
    while changes.len() < PAIRS || (median(&changes).abs() >= CHANGE_MAX && changes.len() < PAIRS_MAX) {
        // Each begins half of the pairs.
        let turns = if changes.len().is_multiple_of(2) { [true, false] } else { [false, true] };
        for all_read in turns {
            let before = steps(number, BEFORE, |_| 0);
            let sent = steps(number + 1, DOSSIERS, |dossier| dossier % UNITS);
            number += 2;
            round(&publisher, &mut readers, &before, all_read).await;
            let rate = round(&publisher, &mut readers, &sent, all_read).await;
            match all_read {
                true => with_all.push(rate),
                false => {
                    with_one_stopped.push(rate);
                    let missed = [before, sent].concat();
                    readers[0].read(&missed).await;
                }
            }
        }
        changes.push(with_one_stopped.last().unwrap() / with_all.last().unwrap() - 1.0);
    }
    let change = median(&changes);
    crate::say(&format!(
        "fan-out to 50: {:.0} events/s with all reading, {:.0} with one stopped; change of a pair {:+.1} % (median of {})",
        median(&with_all),
        median(&with_one_stopped),
        100.0 * change,
        changes.len(),
    ));
    assert!(change.abs() < CHANGE_MAX, "{change:+.3}: {with_all:.0?} {with_one_stopped:.0?}");
    assert_eq!(gateway.stop(), Some(0));
}
