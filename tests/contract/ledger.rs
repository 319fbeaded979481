//! The contract of `truc::ledger`, point by point, over each implementation.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use truc::domain::delivery::Policy;
use truc::domain::receipt::Receipt;
use truc::ledger::{
    AcceptAnswers, Acceptance, Accepted, Commit, Commits, Ledger, ReportAnswers, ReportError, ReportRequest,
    Reported, StepAnswers, StepError, StepRequest, Stepped, Story,
};

use crate::support::{message_id, organ, soon};

mod acceptance;
mod bounds;
mod changes;
mod commits;
mod custody;
mod dead;
mod durable;
mod duties;
pub mod inspect;
mod ladder;
mod links;
mod mailbox;
mod model;
mod order;
mod outbox;
pub mod postgres;
mod queues;
mod random;
mod reading;
mod receipts;
mod redirects;
mod reports;
pub mod sqlite;
mod steps;
mod week;

/// What a ledger is opened with, whatever it is kept in.
#[derive(Clone, Debug)]
pub struct Terms {
    pub mailbox_deliveries_max: u64,
    pub policy: Policy,
}

impl Default for Terms {
    /// Mailboxes that do not fill up, and retries without chance.
    fn default() -> Self {
        let policy = Policy {
            attempts_max: 5,
            retry_delay_min: Duration::from_secs(1),
            retry_delay_max: Duration::from_secs(60),
            retry_jitter: 0.0,
            prompt_attempts: 2,
            acknowledged_by: truc::domain::duty::AcknowledgedBy::Delivery,
        };
        Self { mailbox_deliveries_max: 1_000_000, policy }
    }
}

/// Where a ledger of one implementation is kept. Dropped, nothing of it remains.
pub trait LedgerUnderTest: Send + Sync + Sized + 'static {
    /// A place for a ledger; there is none yet.
    fn create(terms: Terms) -> impl Future<Output = Self> + Send;

    /// Opens what is there, with few places in its queue and small commits, so that tests meet their bounds.
    fn open(&self) -> impl Future<Output = (Arc<dyn Ledger>, Commits)> + Send;

    /// What the store does by itself from time to time is done now.
    fn tidied(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Where the ledger is found after the sudden death of the process that had it open, at whatever it was.
    fn killed(self, ledger: Arc<dyn Ledger>) -> impl Future<Output = Self> + Send;
}

/// An open ledger. The receiver of its commits comes first, so that a drop never waits for it.
pub struct Open<L> {
    pub commits: Commits,
    pub ledger: Arc<dyn Ledger>,
    place: L,
}

impl<L: LedgerUnderTest> Open<L> {
    pub async fn new() -> Self {
        Self::on(Terms::default()).await
    }

    pub async fn on(terms: Terms) -> Self {
        Self::at(L::create(terms).await).await
    }

    async fn at(place: L) -> Self {
        let (ledger, commits) = place.open().await;
        Self { commits, ledger, place }
    }

    /// Nobody listens to what is committed; for tests that commit more than the receiver holds.
    pub async fn unheard() -> Self {
        let mut open = Self::new().await;
        open.commits.close();
        open
    }

    /// Closed in good order, and opened again.
    pub async fn reopened(self) -> Self {
        let Self { commits, ledger, place } = self;
        assert_eq!(Arc::strong_count(&ledger), 1, "nobody else has the ledger open");
        drop(commits);
        drop(ledger);
        Self::at(place).await
    }

    /// Killed in the middle of whatever it does, and opened again.
    pub async fn killed(self) -> Self {
        let Self { commits, ledger, place } = self;
        drop(commits);
        Self::at(place.killed(ledger).await).await
    }

    pub async fn accept(&self, batch: Vec<Acceptance>) -> AcceptAnswers {
        soon(soon(self.ledger.accept(batch)).await.unwrap()).await.unwrap()
    }

    /// Accepts one letter that must be accepted.
    pub async fn accepted(&self, letter: Acceptance) -> Accepted {
        self.accept(vec![letter]).await.remove(0).unwrap()
    }

    pub async fn steps(&self, batch: Vec<StepRequest>) -> StepAnswers {
        soon(soon(self.ledger.step(batch)).await.unwrap()).await.unwrap()
    }

    pub async fn step(&self, request: StepRequest) -> Result<Stepped, StepError> {
        self.steps(vec![request]).await.remove(0)
    }

    pub async fn reports(&self, batch: Vec<ReportRequest>) -> ReportAnswers {
        soon(soon(self.ledger.report(batch)).await.unwrap()).await.unwrap()
    }

    pub async fn report(&self, request: ReportRequest) -> Result<Reported, ReportError> {
        self.reports(vec![request]).await.remove(0)
    }

    pub async fn track(&self, sender: &str, id: &str) -> Option<Story> {
        soon(self.ledger.track(&organ(sender), &message_id(id))).await.unwrap()
    }

    /// All receipts of a sender, read in one sweep.
    pub async fn receipts(&self, sender: &str) -> Vec<Receipt> {
        soon(self.ledger.receipts(&organ(sender), 0, 1_000_000)).await.unwrap()
    }

    /// The commits told by now, without waiting.
    pub fn told(&mut self) -> Vec<Commit> {
        std::iter::from_fn(|| self.commits.try_recv().ok()).collect()
    }
}

macro_rules! tests_of {
    ($place:ty; $($point:ident: $($test:ident)*;)*) => {$(
        mod $point {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::ledger::$point::$test::<$place>().await;
                }
            )*
        }
    )*};
}

/// Stamps the suite over implementations.
macro_rules! stamp {
    ($($implementation:ident: $place:ty;)*) => {$(
        mod $implementation {
            tests_of! { $place;
                durable: answered_survives_a_reopen answered_survives_a_kill
                    a_kill_under_load_leaves_whole_operations_in_order numbers_go_on_after_a_kill;
                acceptance: stored_as_it_was_handed_over a_conflict_is_typed_and_leaves_nothing
                    a_refusal_leaves_its_neighbours_alone a_repeat_gives_the_first_answer_again
                    a_redirected_addressee_comes_again_the_same ids_belong_to_their_senders
                    a_thousand_repeats_from_eight_tasks_across_a_kill;
                mailbox: full_is_typed_and_leaves_nothing a_repeat_is_answered_even_when_it_is_full
                    full_is_exact_under_a_race two_deliveries_of_one_message_are_two
                    only_an_end_makes_room the_bound_holds_across_a_kill;
                order: as_handed_over_by_many_callers what_nobody_awaits_takes_effect
                    acceptances_and_steps_share_one_order;
                ladder: delivered_after_every_kind_of_attempt rejected_with_a_reason expired_while_waiting
                    expired_in_the_mailbox_and_in_flight dead_after_the_last_attempt;
                steps: another_recipient_sees_no_delivery refused_leaves_nothing
                    settled_again_is_unchanged an_ended_attempt_is_fenced one_of_many_collectors_gets_it
                    a_batch_is_answered_one_by_one an_attempt_that_is_spared_does_not_count;
                receipts: gapless_per_sender_and_per_message paged_in_order
                    visible_in_order_while_senders_race gapless_across_a_kill a_late_step_does_not_go_back_in_time;
                reports: every_report_is_a_receipt_with_all_that_was_said
                    a_repeated_report_gives_the_first_receipt
                    an_impossible_report_is_typed_and_leaves_nothing
                    transport_and_business_do_not_touch_each_other steps_and_reports_share_one_numbering
                    files_are_kept_and_documents_found one_of_many_reporters_is_recorded reports_of_one_delivery_are_bounded;
                commits: told_before_the_answer in_the_order_of_the_mailboxes heads_and_due_times
                    whoever_is_told_can_read_it an_old_delivery_is_told_when_ready_again;
                reading: ready_by_lane_and_page messages_with_their_payloads due_longest_first
                    held_by_streams_across_a_restart tracked_by_their_sender_only sent_newest_first
                    received_newest_first tally_of_the_open probe_writes;
                outbox: ready_is_unpublished_until_the_broker_has_it an_answer_about_an_earlier_attempt_changes_nothing
                    unpublished_survives_a_kill what_the_broker_lost_is_unpublished_again
                    unpublished_in_order_and_by_pages;
                duties: what_is_late_is_noted_once what_ended_before_is_owed_no_more
                    lists_and_tallies_of_the_overdue figures_by_organ_and_day one_of_many_notes_it;
                redirects: another_delivery_takes_its_place what_is_held_stays_and_what_has_ended_is_never_moved
                    a_second_closing_is_followed one_of_two_nodes_moves_it nobody_took_over
                    what_is_redirected_is_no_longer_unpublished;
                custody: a_payload_goes_a_set_time_after_the_last_end what_took_its_place_keeps_it_too
                    files_go_with_it_and_late_ones_follow a_hold_keeps_until_it_is_released
                    a_hold_of_an_organ_keeps_what_it_sends_and_receives a_hold_that_was_set_in_time_holds;
                dead: found_by_organ_and_cause a_replay_gives_as_many_attempts_again what_is_discarded_has_ended;
                week: a_week_of_traffic_levels_off;
                queues: a_lease_in_a_queue_is_found_and_renewed a_mark_advances_from_what_it_is
                    mailboxes_add_up;
                changes: a_recall_is_absolute_before_the_offer_and_asks_after_it an_answer_ends_the_request
                    a_second_request_is_refused_as_a_whole a_repeated_change_gives_the_first_answer
                    an_update_keeps_adds_and_removes of_two_updates_one_wins a_replacement_of_two_and_its_chain
                    a_request_without_an_end_lapses a_closing_between_request_and_answer
                    a_document_and_its_changes_in_one_batch documents_by_their_id_and_full_mailboxes
                    recalls_against_offers what_was_never_sent_is_taken_back_at_once;
                links: a_link_is_kept_as_it_was_set_across_a_kill an_outage_is_noted_of_the_link_it_is_about
                    a_node_knows_itself;
                bounds: numbers_nobody_has a_mailbox_of_its_own_size;
                random: a_random_history_is_as_the_model_says;
            }
        }
    )*};
}

stamp! {
    on_sqlite: crate::ledger::sqlite::Sqlite;
    on_postgres: crate::ledger::postgres::Postgres;
}
