//! `truc hold`: payloads that are kept beyond their time.

use clap::{Args, Subcommand};

use super::connection::Session;
use super::exit::Exit;
use super::out::Out;
use super::words::{Lang, Word};
use super::{block_on, json, tables, times};
use crate::domain::limits::HOLDS_PAGE_MAX;
use crate::proto::v1;

/// Keep payloads beyond their time / Lưu giữ nội dung theo yêu cầu
///
/// With an operator's certificate, which `truc pki issue --operator` makes. Who held what, when and why stays on record.
#[derive(Debug, Args)]
pub struct Hold {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Set(Set),
    Release(Release),
    List(List),
}

/// Set a hold / Đặt lưu giữ
///
/// On one message (--sender and --message), or on all an organ sent and receives (--organ), until it is released.
#[derive(Debug, Args)]
struct Set {
    /// The organ that sent the message
    #[arg(long, value_name = "ORGAN", requires = "message", required_unless_present = "organ")]
    sender: Option<String>,
    /// The sender's id for the message
    #[arg(long, value_name = "MESSAGE_ID", requires = "sender")]
    message: Option<String>,
    /// All that this organ sent and receives, also what comes later
    #[arg(long, value_name = "ORGAN", conflicts_with_all = ["sender", "message"])]
    organ: Option<String>,
    /// Why; the sender of a held message sees it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    session: Session,
}

/// Release a hold / Thôi lưu giữ
///
/// What it has kept is removed when its time has come.
#[derive(Debug, Args)]
struct Release {
    /// The hold, from the list
    #[arg(value_name = "HOLD_ID")]
    hold_id: String,
    /// Why; the sender of a held message sees it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    session: Session,
}

/// List holds, the newest first / Liệt kê
#[derive(Debug, Args)]
struct List {
    /// Released ones too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    session: Session,
}

impl Hold {
    /// Does it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        match self.command {
            Command::Set(set) => set.run(lang),
            Command::Release(release) => release.run(lang),
            Command::List(list) => list.run(lang),
        }
    }
}

impl Set {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let held = match self.organ {
            Some(organ) => v1::set_hold_request::Held::Organ(organ),
            None => v1::set_hold_request::Held::Message(v1::HeldMessage {
                sender: self.sender.unwrap_or_default(),
                message_id: self.message.unwrap_or_default(),
            }),
        };
        let request = v1::SetHoldRequest { held: Some(held), reason: self.reason };
        let hold = self.session.connection.call(async |agency| agency.set_hold(request).await)?;
        show(Out::new(lang, self.session.form), &hold)
    }
}

impl Release {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let request = v1::ReleaseHoldRequest { hold_id: self.hold_id, reason: self.reason };
        let hold = self.session.connection.call(async |agency| agency.release_hold(request).await)?;
        show(Out::new(lang, self.session.form), &hold)
    }
}

impl List {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.session.form);
        let heads = [
            Word::Hold,
            Word::HeldThing,
            Word::SetBy,
            Word::SetTime,
            Word::Reason,
            Word::ReleasedBy,
            Word::ReleaseTime,
        ];
        let mut table = tables::framed(lang, &heads);
        block_on(async {
            let agency = self.session.connection.agency().await?;
            let mut request = v1::ListHoldsRequest {
                include_released: self.all,
                page_size: HOLDS_PAGE_MAX,
                page_token: String::new(),
            };
            loop {
                let page = agency.holds(request.clone()).await.map_err(Exit::failed)?;
                for hold in &page.holds {
                    out.object(&json::hold(hold))?;
                    table.add_row([
                        hold.hold_id.clone(),
                        held(hold),
                        hold.set_by.clone(),
                        times::short(hold.set_time.as_ref()),
                        hold.reason.clone(),
                        hold.released_by.clone(),
                        times::short(hold.release_time.as_ref()),
                    ]);
                }
                if page.next_page_token.is_empty() {
                    return out.text(table);
                }
                request.page_token = page.next_page_token;
            }
        })
    }
}

fn show(mut out: Out, hold: &v1::Hold) -> Result<(), Exit> {
    out.object(&json::hold(hold))?;
    let facts = tables::facts(
        out.lang(),
        [
            (Word::Hold, hold.hold_id.clone()),
            (Word::HeldThing, held(hold)),
            (Word::SetBy, hold.set_by.clone()),
            (Word::SetTime, times::short(hold.set_time.as_ref())),
            (Word::Reason, hold.reason.clone()),
            (Word::ReleasedBy, hold.released_by.clone()),
            (Word::ReleaseTime, times::short(hold.release_time.as_ref())),
        ],
    );
    out.text(facts)
}

fn held(hold: &v1::Hold) -> String {
    match &hold.held {
        Some(v1::hold::Held::Organ(organ)) => organ.clone(),
        Some(v1::hold::Held::Message(message)) => format!("{} {}", message.sender, message.message_id),
        None => String::new(),
    }
}
