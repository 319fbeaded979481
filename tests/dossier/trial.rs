//! One set-up under trial: 53 systems at work, any of them killed at any moment, and the gateway too.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use truc::dossiers::Share;
use truc::proto::v1;
use truc::proto::v1::dossier_events_service_client::DossierEventsServiceClient;

use crate::checker::{self, Answers, Books, Manner, Verdict};
use crate::gateways::Gateways;
use crate::job::{Job, Role};
use crate::mark::{Mark, digest};
use crate::plan::{self, MINISTRIES, PORTAL, Plan, Planned, STATISTICS};
use crate::script::Counts;
use crate::setup::SetUp;
use crate::system::System;
use crate::{journal, publisher, say, subscriber};

/// How long a step waits for those before it.
const HOLD: Duration = Duration::from_secs(8);
/// Between two deaths of systems, at most, milliseconds; and how long one is away.
const NEXT_MS_MAX: u64 = 600;
const AWAY_MS_MAX: u64 = 200;
/// One in so many times a publisher is not killed, but runs twice, for so long.
const DOUBLE_EVERY: u8 = 8;
const DOUBLE_MS: std::ops::Range<u64> = 200..700;
/// One in so many times it is a subscriber's turn.
const SUBSCRIBER_EVERY: u8 = 4;
/// Dossiers looked at through the gateway in the end.
const LOOKED_AT: usize = 100;
/// A trial that takes longer has failed.
const TRIAL_MAX: Duration = Duration::from_secs(1_800);

/// How systems died.
#[derive(Clone, Copy, Debug, Default)]
struct Deaths {
    publishers: usize,
    subscribers: usize,
    doubles: usize,
}

/// What a trial is about.
pub struct Trial {
    pub set_up: SetUp,
    pub plan: Plan,
    pub outages: u32,
}

/// What is known of a plan before it is played.
struct Expected {
    owners: Vec<String>,
    dossiers: Vec<Planned>,
    counts: Counts,
}

impl Trial {
    /// Plays it and proves that no step was lost.
    pub async fn run(&self) {
        let run = tokio::time::timeout(TRIAL_MAX, self.play()).await;
        assert!(run.is_ok(), "seed {}: not within {TRIAL_MAX:?}", self.plan.seed);
    }

    async fn play(&self) {
        let (set_up, plan) = (self.set_up, self.plan);
        say(&format!("dossiers, {set_up:?}: TRUC_DOSSIERS_SEED={} {} dossiers", plan.seed, plan.dossiers));
        let around = tokio::task::spawn_blocking(move || set_up.surroundings()).await.unwrap();
        let expected = expected(&plan);
        let mut gateways = Gateways::start(set_up, &around, HOLD).await;
        let mut systems: Vec<_> = self.jobs(&gateways).into_iter().map(System::start).collect();
        assert_eq!(systems.len(), 34 + 17 + 2);
        let started = Instant::now();
        let told: Vec<_> = systems.iter().map(System::told).collect();
        let done =
            || told.iter().map(|told| told.answered()).sum::<usize>() as f64 / expected.counts.sent as f64;
        let outages = plan.outages(self.outages);
        let (deaths, ()) = tokio::join!(self.kill(&mut systems), gateways.fail(&outages, done));
        let published = started.elapsed();
        for system in systems {
            system.end().await;
        }
        say(&format!(
            "  {} steps sent in {:.1} s, all read after {:.1} s; {deaths:?}, gateway killed {} times, away {:.1} s\n  {:?}",
            expected.counts.sent,
            published.as_secs_f64(),
            started.elapsed().as_secs_f64(),
            gateways.killed,
            gateways.away.as_secs_f64(),
            expected.counts,
        ));
        look(&gateways, &expected.dossiers).await;
        self.prove(gateways.site().path("systems").as_path(), expected, deaths);
        gateways.stop().await;
    }

    /// What each system is.
    fn jobs(&self, gateways: &Gateways) -> Vec<Job> {
        let site = gateways.site();
        std::fs::create_dir(site.path("systems")).unwrap();
        let provinces = plan::provinces().into_iter().map(|organ| (Role::Province, organ));
        let ministries = MINISTRIES.iter().map(|organ| (Role::Ministry, (*organ).to_owned()));
        let readers = [(Role::Portal, PORTAL.to_owned()), (Role::Statistics, STATISTICS.to_owned())];
        let job = |(role, organ): (Role, String)| {
            let issued = site.organ(&organ);
            Job {
                role,
                plan: self.plan,
                hold: HOLD + Duration::from_secs(1),
                addresses: gateways.addresses(),
                ca: site.ca.certificate_path(),
                certificate: issued.certificate,
                key: issued.key,
                journal: site.path("systems").join(file_name(&organ)),
                organ,
            }
        };
        provinces.chain(ministries).chain(readers).map(job).collect()
    }

    /// Kills systems, and lets some run twice, until all is published.
    async fn kill(&self, systems: &mut [System]) -> Deaths {
        let mut rng = fastrand::Rng::with_seed(self.plan.seed);
        let mut deaths = Deaths::default();
        while !systems.iter().all(System::has_published) {
            tokio::time::sleep(Duration::from_millis(rng.u64(..NEXT_MS_MAX))).await;
            let is_subscriber = rng.u8(..SUBSCRIBER_EVERY) == 0;
            let place = match is_subscriber {
                // The portal and the statistics office as often as all ministries together.
                true if rng.bool() => systems.len() - 1 - rng.usize(..2),
                true => systems.len() - 3 - rng.usize(..MINISTRIES.len()),
                false => rng.usize(..systems.len() - 2),
            };
            let system = &mut systems[place];
            if system.has_ended() {
                continue;
            }
            if !is_subscriber && rng.u8(..DOUBLE_EVERY) == 0 && !system.has_published() {
                deaths.doubles += 1;
                system.double(deaths.doubles, Duration::from_millis(rng.u64(DOUBLE_MS))).await;
                continue;
            }
            system.kill(Duration::from_millis(rng.u64(..AWAY_MS_MAX))).await;
            deaths.publishers += usize::from(system.is_publisher());
            deaths.subscribers += usize::from(!matches!(system.job.role, Role::Province));
        }
        deaths
    }

    /// Compares all pictures with what the owners were answered.
    fn prove(&self, folder: &Path, expected: Expected, deaths: Deaths) {
        let Expected { owners, dossiers, counts } = expected;
        let file = |organ: &str, extension: &str| folder.join(file_name(organ)).with_extension(extension);
        let mut books = Books::default();
        for owner in &owners {
            marks(&file(owner, publisher::EXTENSION)).iter().for_each(|mark| books.enter(mark));
        }
        books.check(&dossiers);
        let Answers { steps, repeated, held } = books.counts;
        say(&format!("  {steps} steps answered, {repeated} of them as repeated, {held} as held"));
        let procedures: HashMap<_, _> =
            dossiers.iter().map(|dossier| (dossier.code.as_str(), dossier.procedure)).collect();
        let shown = marks(&file(PORTAL, subscriber::EXTENSION));
        assert_eq!(shown.last().map(|mark| mark.position), Some(steps as u64), "positions without a hole");
        let mut verdicts =
            vec![(PORTAL.to_owned(), checker::check(&books, |_| true, shown.into_iter(), Manner::Once))];
        for index in 0..subscriber::SHARES {
            let share = Share { index, of: subscriber::SHARES };
            let shown = marks(&file(STATISTICS, &subscriber::share_extension(index))).into_iter();
            let verdict = checker::check(&books, |code| share.has(code), shown, Manner::AtLeastOnce);
            verdicts.push((format!("{STATISTICS} {}/{}", index + 1, subscriber::SHARES), verdict));
        }
        for (place, organ) in MINISTRIES.iter().enumerate() {
            let shown = marks(&file(organ, subscriber::EXTENSION)).into_iter();
            let own = |code: &str| plan::procedures_of(place).any(|own| procedures.get(code) == Some(&own));
            verdicts.push(((*organ).to_owned(), checker::check(&books, own, shown, Manner::Once)));
        }
        let mut violations = books.violations;
        for (who, Verdict { counts, violations: found }) in verdicts {
            say(&format!("  {who}: {counts}"));
            violations.extend(found.into_iter().map(|what| format!("{who}: {what}")));
        }
        assert!(
            violations.is_empty(),
            "TRUC_DOSSIERS_SEED={}\n{}",
            self.plan.seed,
            checker::told(&violations)
        );
        // Without these it would have been no trial.
        assert!(
            deaths.publishers > 0 && deaths.subscribers > 0 && counts.reordered > 0,
            "{deaths:?} {counts:?}"
        );
        assert!(repeated >= counts.duplicates && held > 0, "{repeated} repeated, {held} held, {counts:?}");
    }
}

/// A file name without a dot, which is for the extension.
fn file_name(organ: &str) -> String {
    organ.replace('.', "_")
}

fn expected(plan: &Plan) -> Expected {
    let owners = plan::owners();
    let dossiers = plan.all(&owners);
    let mut counts = Counts::default();
    for owner in 0..owners.len() {
        let own: Vec<_> = dossiers.iter().filter(|dossier| dossier.owner == owner).cloned().collect();
        counts = counts.plus(publisher::script(owner, plan.seed, &own).counts);
    }
    Expected { owners, dossiers, counts }
}

/// The marks of a journal, in order.
fn marks(file: &Path) -> Vec<Mark> {
    let lines = journal::lines(file);
    let words = lines.lines().filter(|line| !line.starts_with(publisher::REST));
    let words = words.flat_map(|line| line.split('\t').skip(1));
    words.map(|word| word.parse().unwrap_or_else(|_| panic!("{}: {word:?}", file.display()))).collect()
}

/// Looks at some dossiers through the gateway: what it says of them is what was published.
async fn look(gateways: &Gateways, dossiers: &[Planned]) {
    let channel = gateways.site().channel(gateways.node(0), &gateways.site().organ(PORTAL)).await;
    let mut client = DossierEventsServiceClient::new(channel);
    for dossier in dossiers.iter().step_by((dossiers.len() / LOOKED_AT).max(1)) {
        let request = v1::GetDossierRequest { dossier_code: dossier.code.clone(), ..Default::default() };
        let found = client.get_dossier(request).await.unwrap().into_inner();
        let said: Vec<_> = found.events.iter().map(|event| digest(event.step.as_ref().unwrap())).collect();
        let published: Vec<_> =
            (0..dossier.steps.len()).map(|place| digest(&dossier.message(place))).collect();
        assert_eq!(said, published, "{}", dossier.code);
        assert_eq!(found.dossier.unwrap().missing_steps, [0; 0]);
    }
}
