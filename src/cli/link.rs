//! `truc link`: where an organ has its mail brought to.

use clap::{Args, Subcommand};

use super::connection::Session;
use super::exit::Exit;
use super::out::Out;
use super::words::{self, Lang, Word};
use super::{json, tables, times};
use crate::domain::message::Hash;
use crate::proto::v1::{self, push_link::Server};

/// Have mail brought to an endpoint of your own / Điểm nhận văn bản
///
/// The endpoint implements truc.v1.InboxService. In place of collecting: the gateway calls it.
#[derive(Debug, Args)]
pub struct Link {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Set(Box<Set>),
    Show(Show),
    Delete(Delete),
}

/// Register the endpoint, in place of the one there was / Đăng ký điểm nhận
///
/// It is tried at once. Its certificate must name the organ, or be the one given by --sha256.
#[derive(Debug, Args)]
struct Set {
    /// The endpoint, https://HOST:PORT
    #[arg(value_name = "URL")]
    url: String,
    /// The organ whose mail is brought [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    /// The organ the endpoint's certificate names [default: the same organ]
    #[arg(long, value_name = "ORGAN", conflicts_with = "sha256")]
    server_organ: Option<String>,
    /// SHA-256 of the endpoint's certificate, hexadecimal, in place of an organ it names
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    sha256: Option<Hash>,
    /// Deliveries brought at a time, 1 to 256 [default: 16]
    #[arg(long, value_name = "NUMBER")]
    max_in_flight: Option<u32>,
    /// Time for one call, 1 to 300 [default: 30]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Bring the receipts of what the organ sent, too
    #[arg(long)]
    receipts: bool,
    /// Bring receipts from the one after this number on
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "receipts",
        default_value_t = 0,
        hide_default_value = true
    )]
    receipts_after: u64,
    /// Keep the link and bring nothing
    #[arg(long)]
    paused: bool,
    #[command(flatten)]
    session: Session,
}

/// Show the link and how its endpoint does / Xem điểm nhận
#[derive(Debug, Args)]
struct Show {
    /// The organ [default: the certificate's]
    #[arg(value_name = "ORGAN", default_value = "", hide_default_value = true)]
    organ: String,
    #[command(flatten)]
    session: Session,
}

/// Bring nothing any more / Xóa điểm nhận
#[derive(Debug, Args)]
struct Delete {
    /// The organ [default: the certificate's]
    #[arg(value_name = "ORGAN", default_value = "", hide_default_value = true)]
    organ: String,
    #[command(flatten)]
    session: Session,
}

fn sha256(text: &str) -> Result<Hash, String> {
    let plain: String = text.chars().filter(|c| *c != ':').collect();
    Hash::parse(&plain.to_ascii_lowercase())
        .ok_or_else(|| "64 hexadecimal digits, with or without colons".to_owned())
}

impl Link {
    /// Does it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        match self.command {
            Command::Set(set) => set.run(lang),
            Command::Show(show) => show.run(lang),
            Command::Delete(delete) => delete.run(lang),
        }
    }
}

impl Set {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.session.form);
        let server = match (self.server_organ, self.sha256) {
            (Some(organ), _) => Some(Server::ServerOrgan(organ)),
            (None, Some(hash)) => Some(Server::ServerSha256(hash.as_bytes().to_vec().into())),
            (None, None) => None,
        };
        let link = v1::PushLink {
            organ: self.organ.unwrap_or_default(),
            endpoint: self.url,
            server,
            max_in_flight: self.max_in_flight.unwrap_or_default(),
            timeout: self.timeout.map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 }),
            push_receipts: self.receipts,
            paused: self.paused,
            ..Default::default()
        };
        let request = v1::SetPushLinkRequest { link: Some(link), receipts_after: self.receipts_after };
        let link = self.session.connection.call(async |agency| agency.set_push_link(request).await)?;
        show(&mut out, &link)
    }
}

impl Show {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.session.form);
        let link = self.session.connection.call(async |agency| agency.push_link(&self.organ).await)?;
        show(&mut out, &link)
    }
}

impl Delete {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.session.form);
        self.session.connection.call(async |agency| agency.delete_push_link(&self.organ).await)?;
        out.object(&json::push_link_deleted(&self.organ))?;
        out.text(Word::LinkDeleted.text(lang))
    }
}

fn show(out: &mut Out, link: &v1::PushLink) -> Result<(), Exit> {
    out.object(&json::push_link(link))?;
    let lang = out.lang();
    let outage = link.outage.clone().unwrap_or_default();
    let server = match &link.server {
        Some(Server::ServerOrgan(organ)) => organ.clone(),
        Some(Server::ServerSha256(bytes)) => {
            Hash::from_slice(bytes).map(|hash| hash.to_string()).unwrap_or_default()
        }
        None => String::new(),
    };
    let state = match (link.paused, &link.outage) {
        (true, _) => Word::LinkPaused,
        (false, Some(_)) => Word::LinkOut,
        (false, None) => Word::LinkUp,
    };
    let number = |number: u64| if number == 0 { String::new() } else { number.to_string() };
    let cause = words::cause(outage.cause()).map(|cause| cause.text(lang).to_owned());
    let why: Vec<_> = cause.into_iter().chain((!outage.reason.is_empty()).then_some(outage.reason)).collect();
    out.text(tables::facts(
        lang,
        [
            (Word::OrganId, link.organ.clone()),
            (Word::Endpoint, link.endpoint.clone()),
            (Word::EndpointServer, server),
            (Word::State, state.text(lang).to_owned()),
            (Word::OutSince, times::short(outage.since_time.as_ref())),
            (Word::Reason, why.join("; ")),
            (Word::InVain, number(outage.failures.into())),
            (Word::NextAttempt, times::short(outage.next_attempt_time.as_ref())),
            (Word::InFlightMax, link.max_in_flight.to_string()),
            (Word::CallTimeout, link.timeout.map(|timeout| timeout.seconds.to_string()).unwrap_or_default()),
            (
                Word::ReceiptsPushed,
                if link.push_receipts { link.receipts_taken.to_string() } else { String::new() },
            ),
            (Word::RegisteredAt, times::short(link.set_time.as_ref())),
            (Word::RegisteredBy, link.set_by.clone()),
        ],
    ))
}
