//! Intake: from what a sender hands over to what the ledger accepts, or a typed no. Nothing is stored here, and
//! nothing that is refused here leaves a trace but a count.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prost::Message as _;
use time::Date;

use crate::allowances::{Allowances, Rate};
use crate::directory::{Ambiguity, Directory, vietnam_day};
use crate::domain::calendar::Calendar;
use crate::domain::message::{Hash, MessageId, ParseMessageIdError};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::status::StatusCode;
use crate::domain::time::{Clock, Timestamp};
use crate::ledger::{Acceptance, Addressee, Message};
use crate::proto::{convert, v1};

mod changes;
pub mod codes;
mod content;
pub mod fields;
mod rates;
mod recalls;
mod recipients;
mod refused;
pub mod reports;
pub mod settlements;
pub mod sight;
pub mod status_file;
pub mod steps;

use changes::Written;
use content::{Content, Found};
use rates::Rates;
pub use recalls::RecallReport;
pub use refused::{CHANGED, accept_refused, ledger_failed};
pub use status_file::StatusFile;

/// How intake judges.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Largest payload, bytes.
    pub payload_bytes_max: usize,
    /// How long a message is tried when its sender names no time, and the longest it can name.
    pub ttl: Duration,
    /// How fast an organ may submit, where nothing else is said of it.
    pub rate: Rate,
    /// How fast an organ may publish steps of dossiers.
    pub step_rate: Rate,
    /// Where documents go that several organs could get.
    pub ambiguity: Ambiguity,
}

/// Why a submission is refused.
#[derive(Debug)]
pub struct Refused {
    /// The refusal.
    pub refusal: Refusal,
    /// Set where only the day stands against it: had the same been accepted before, that is the answer.
    pub claim: Option<Claim>,
}

/// A submission that is good.
#[derive(Debug)]
pub enum Judged {
    /// A document, to be accepted.
    Document(Acceptance),
    /// A status message, to be recorded.
    Status(Box<StatusFile>),
}

/// What a submission claims to be.
#[derive(Debug)]
pub struct Claim {
    /// The sending organ.
    pub sender: OrganId,
    /// The sender's id for it.
    pub message_id: MessageId,
    /// By which a repeated submission is known.
    pub content_hash: Hash,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, claim: None }
    }
}

/// The door.
pub struct Intake {
    rules: Rules,
    directory: Arc<ArcSwap<Directory>>,
    calendar: Arc<ArcSwap<Calendar>>,
    clock: Arc<dyn Clock>,
    allowances: Arc<ArcSwap<Allowances>>,
    rates: Rates,
    step_rates: Rates,
}

impl Intake {
    /// A door with these rules.
    pub fn new(
        rules: Rules,
        directory: Arc<ArcSwap<Directory>>,
        allowances: Arc<ArcSwap<Allowances>>,
        calendar: Arc<ArcSwap<Calendar>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            rules,
            directory,
            calendar,
            clock,
            allowances,
            rates: Rates::default(),
            step_rates: Rates::default(),
        }
    }

    /// Judges a submission of the organ a certificate names; gives what the ledger is to accept. Whether it comes too soon is
    /// another matter: [`Intake::check_rate`], before anything else is done about it.
    pub fn judge(&self, caller: &OrganId, submission: v1::Submission) -> Result<Judged, Refused> {
        let directory = self.directory.load();
        let at = self.clock.now();
        let content = match Content::read(&submission, self.rules.payload_bytes_max)? {
            Found::Document(content) => content,
            Found::Status(status, file) => {
                let named = (submission.sender.as_str(), Some(&status.from.organ));
                let from = sender(&directory, caller, named, vietnam_day(at))?;
                check_hash(&submission, || Hash::of(&file))?;
                if status.report().status.code == StatusCode::RecallAsked {
                    let document_id = status.response_for.document_id.clone().unwrap_or_default();
                    let asked = (document_id, status.recipient().clone(), status.report().reason);
                    let recall = self.recall_by_file((from, caller), &submission, asked, file, at)?;
                    return Ok(Judged::Document(recall));
                }
                return Ok(Judged::Status(Box::new(StatusFile::of(&status, from, caller.clone(), file))));
            }
        };
        let named = (submission.sender.as_str(), content.sender.as_ref());
        let sender = sender(&directory, caller, named, vietnam_day(at))?;
        check_hash(&submission, || content.payload_hash)?;
        let message_id = message_id(&submission, &content)?;
        let content_hash = content_hash(&sender, &content);
        let expire_time = submission.expire_time.as_ref();
        let admitted = self.admit(&directory, &sender, &content, expire_time, at);
        let (expires_at, addressees) = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let claim = Claim { sender, message_id, content_hash };
                return Err(Refused { refusal, claim: Some(claim) });
            }
        };
        let document_id = content.header.as_ref().map(|header| header.document_id.clone());
        let document_id = document_id.filter(|id| !id.is_empty());
        let Content { header, change, format, media_type, payload, payload_hash, urgency, .. } = *content;
        let kept = change.as_ref().map(Written::kept);
        let message = Message {
            sender,
            message_id,
            content_hash,
            payload_hash,
            header: convert::kept_header(header, format, media_type, kept),
            payload,
            accepted_at: at,
            expires_at,
        };
        let message = Arc::new(message);
        let change = change.map(|written| Box::new(written.by(caller)));
        let (lane, acknowledge_by) = (urgency.lane(), self.calendar.load().acknowledge_by(at));
        Ok(Judged::Document(Acceptance { message, lane, addressees, acknowledge_by, document_id, change }))
    }

    /// What depends on the day: whether the sender is open, until when it is tried, who receives it.
    fn admit(
        &self,
        directory: &Directory,
        sender: &OrganId,
        content: &Content,
        expire_time: Option<&prost_types::Timestamp>,
        at: Timestamp,
    ) -> Result<(Timestamp, Vec<Addressee>), Refusal> {
        let today = vietnam_day(at);
        if directory.get(sender).is_none_or(|organ| !organ.is_open_on(today)) {
            return Err(Refusal::new(Reason::SenderClosed, format!("organ {sender} is not open"))
                .field("submission.sender")
                .hint("send as the organ that took over; Resolve names it"));
        }
        let expires_at = self.expiry(expire_time, at)?;
        let recipients = if content.header.is_none() {
            // Who gets a recall follows from what it takes back.
            Vec::new()
        } else {
            let (named, path) = (&content.recipients, content.recipients_path);
            let kept = recipients::resolve(directory, named, path, today, self.rules.ambiguity)?;
            let mut kept = recipients::allowed(&self.allowances.load(), kept, sender, content)?;
            // Those from whom it is taken away need not take it.
            recipients::add(&mut kept, directory, &content.removed, today, self.rules.ambiguity);
            kept
        };
        Ok((expires_at, recipients))
    }

    /// Whether the organ a certificate names may submit now. Cheap, so that whoever submits too much takes nothing from others.
    pub fn check_rate(&self, caller: &OrganId) -> Result<(), Refusal> {
        let rate = self.allowances.load().of(caller).rate.unwrap_or(self.rules.rate);
        self.rates.check(rate, caller).map_err(|wait| {
            Refusal::new(Reason::RateLimited, "more submissions a second than this organ may make")
                .hint("slow down; the retry delay says when the next one is welcome")
                .fact("rate_per_s", rate.per_s)
                .retry_after(wait.max(Duration::from_millis(1)))
        })
    }

    /// Whether an organ may publish so many steps of dossiers now; else, how long until it may.
    pub fn check_step_rate(&self, organ: &OrganId, count: usize) -> Result<(), Duration> {
        self.step_rates.check_many(self.rules.step_rate, organ, count)
    }

    /// Forgets the rates of organs that have long been silent, so that their number stays bounded.
    pub fn forget_silent(&self) {
        self.rates.forget_silent();
        self.step_rates.forget_silent();
    }

    fn expiry(&self, asked: Option<&prost_types::Timestamp>, at: Timestamp) -> Result<Timestamp, Refusal> {
        let latest = at.plus(self.rules.ttl);
        let Some(asked) = asked else { return Ok(latest) };
        let invalid = |message: &str, hint: String| {
            Refusal::new(Reason::InvalidField, message).field("submission.expire_time").hint(hint)
        };
        let asked = convert::time_of(asked)
            .ok_or_else(|| invalid("expire_time is not a time", "nanos are 0 to 999,999,999".to_owned()))?;
        if asked <= at {
            return Err(Refusal::new(Reason::DeadlineExpired, "expire_time has passed")
                .field("submission.expire_time")
                .hint("name a later time, or none"));
        }
        // The sender's clock may be a little ahead of this one.
        if asked > latest.plus(Duration::from_secs(60)) {
            let days = self.rules.ttl.as_secs() / 86_400;
            return Err(invalid(
                "expire_time is later than a message is kept",
                format!("at most {days} days ahead; leave it unset for that"),
            ));
        }
        Ok(asked.min(latest))
    }
}

/// Who sends: the organ named in the submission or in the file, if the caller may act for it.
fn sender(
    directory: &Directory,
    caller: &OrganId,
    (named, written): (&str, Option<&OrganId>),
    today: Date,
) -> Result<OrganId, Refusal> {
    if directory.get(caller).is_none() {
        return Err(Refusal::new(
            Reason::CertificateOrganUnknown,
            format!("organ {caller} of the certificate is not in the directory"),
        )
        .hint("have the organ entered in the directory, or use a certificate of one that is"));
    }
    let named = match named {
        "" => None,
        text => Some(fields::organ(text, "submission.sender")?),
    };
    let sender = named.as_ref().or(written).unwrap_or(caller);
    if let Some(written) = written
        && written != sender
    {
        return Err(mismatch(written, sender));
    }
    if directory.acts_for(caller, sender, today) {
        return Ok(sender.clone());
    }
    Err(match written {
        Some(written) => mismatch(written, caller),
        None => not_acting_for(caller, sender).field("submission.sender"),
    })
}

fn mismatch(written: &OrganId, sender: &OrganId) -> Refusal {
    Refusal::new(
        Reason::SenderMismatch,
        format!("the file says it is from {written}, but {sender} submits it"),
    )
    .field("submission.edxml.file.MessageHeader.From.OrganId")
    .hint("submit a file with the certificate of the organ it is from, or of one that may act for it")
}

/// The organ a request is about: the one named, if `by` may act for it, else `by` itself.
pub fn speaks_for(
    directory: &Directory,
    by: &OrganId,
    named: &str,
    path: &str,
    today: Date,
) -> Result<OrganId, Refusal> {
    let organ = match named {
        "" => by.clone(),
        text => fields::organ(text, path)?,
    };
    if directory.get(by).is_none() {
        return Err(Refusal::new(
            Reason::CertificateOrganUnknown,
            format!("organ {by} of the certificate is not in the directory"),
        )
        .hint("have the organ entered in the directory, or use a certificate of one that is"));
    }
    match directory.acts_for(by, &organ, today) {
        true => Ok(organ),
        false => Err(not_acting_for(by, &organ).field(path)),
    }
}

/// The refusal of one who acts for an organ it may not act for.
pub fn not_acting_for(caller: &OrganId, organ: &OrganId) -> Refusal {
    Refusal::new(Reason::NotActingForOrgan, format!("organ {caller} may not act for {organ}"))
        .hint("a certificate acts for its own organ and, where the directory says so, for those below it")
}

fn check_hash(submission: &v1::Submission, arrived: impl FnOnce() -> Hash) -> Result<(), Refusal> {
    let stated = &submission.payload_sha256;
    if stated.is_empty() {
        return Ok(());
    }
    let invalid = || {
        Refusal::new(Reason::InvalidField, "payload_sha256 is not 32 bytes")
            .field("submission.payload_sha256")
            .hint("the 32 bytes of the SHA-256, not its hexadecimal text")
    };
    let stated = Hash::from_slice(stated).ok_or_else(invalid)?;
    let arrived = arrived();
    if stated == arrived {
        return Ok(());
    }
    Err(Refusal::new(Reason::PayloadHashMismatch, "the payload is not what its SHA-256 says")
        .field("submission.payload_sha256")
        .fact("arrived_sha256", arrived)
        .hint("send the payload again as it was hashed"))
}

fn message_id(submission: &v1::Submission, content: &Content) -> Result<MessageId, Refusal> {
    match (submission.message_id.as_str(), content.format) {
        ("", v1::PayloadFormat::Edxml) => Ok(MessageId::of_edxml(&content.payload_hash)),
        _ => named_id(submission),
    }
}

fn named_id(submission: &v1::Submission) -> Result<MessageId, Refusal> {
    let refused = |why: ParseMessageIdError| {
        let reason = match why {
            ParseMessageIdError::Missing => Reason::MissingField,
            ParseMessageIdError::TooLong => Reason::FieldTooLong,
            ParseMessageIdError::BadCharacter => Reason::InvalidField,
        };
        Refusal::new(reason, why.to_string())
            .field("submission.message_id")
            .hint("an id of your own that stays the same when you submit again, for example a UUID")
    };
    MessageId::parse(&submission.message_id).map_err(refused)
}

/// By which a repeated submission is known: who sends what, with which header.
fn content_hash(sender: &OrganId, content: &Content) -> Hash {
    let header = content.header.as_ref().map(v1::DocumentHeader::encode_to_vec).unwrap_or_default();
    // A file says by itself what it changes.
    let change = content.change.as_ref().filter(|_| content.format != v1::PayloadFormat::Edxml);
    let change = change.map(|change| change.kept().encode_to_vec());
    let parts = [
        b"truc.v1 document".as_slice(),
        sender.as_str().as_bytes(),
        content.format.as_str_name().as_bytes(),
        content.media_type.as_bytes(),
        &header,
        content.payload_hash.as_bytes(),
    ];
    Hash::of_parts(parts.into_iter().chain(change.as_deref()))
}
