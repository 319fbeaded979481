//! `truc overdue`: documents not acknowledged on the working day they came, and how organs meet that duty.

use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{Lang, Word};
use super::{block_on, json, tables, times};
use crate::client::Agency;
use crate::domain::limits::LIST_PAGE_MAX;
use crate::proto::v1;

/// List documents not acknowledged in time / Văn bản chưa được xác nhận đúng hạn
///
/// Those the organ is to acknowledge, or with --sent those it sent. Operators see all organs.
#[derive(Debug, Args)]
pub struct Overdue {
    /// Of what the organ sent
    #[arg(long)]
    sent: bool,
    /// Those too that were acknowledged later, or have ended
    #[arg(long)]
    past: bool,
    /// In place of the list: how many were due and how many overdue, by organ and day
    #[arg(long, conflicts_with_all = ["sent", "past"])]
    figures: bool,
    /// The first day of the figures [default: 30 days before the last]
    #[arg(long, value_name = "DATE", requires = "figures")]
    from: Option<String>,
    /// The last day of the figures [default: today]
    #[arg(long, value_name = "DATE", requires = "figures")]
    to: Option<String>,
    /// The organ [default: the certificate's; with an operator's, all]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Overdue {
    /// Lists.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        block_on(async {
            let agency = self.connection.agency().await?;
            match self.figures {
                true => self.show_figures(&agency, &mut out).await,
                false => self.list(&agency, &mut out).await,
            }
        })
    }

    async fn list(&self, agency: &Agency, out: &mut Out) -> Result<(), Exit> {
        let lang = out.lang();
        let side = if self.sent { v1::OverdueSide::Sender } else { v1::OverdueSide::Recipient };
        let mut request = v1::ListOverdueRequest {
            organ: self.organ.clone().unwrap_or_default(),
            side: side.into(),
            include_past: self.past,
            page_size: LIST_PAGE_MAX,
            page_token: String::new(),
        };
        let heads = [
            Word::Delivery,
            Word::Sender,
            Word::Recipient,
            Word::Code,
            Word::AcceptTime,
            Word::AcknowledgeBy,
            Word::AcknowledgeTime,
            Word::Subject,
        ];
        let mut table = tables::framed(lang, &heads);
        loop {
            let page = agency.overdue(request.clone()).await.map_err(Exit::failed)?;
            for overdue in &page.deliveries {
                out.object(&json::overdue(overdue))?;
                let envelope = overdue.envelope.clone().unwrap_or_default();
                let delivery = overdue.delivery.clone().unwrap_or_default();
                let header = envelope.header.unwrap_or_default();
                table.add_row([
                    delivery.delivery_id,
                    envelope.sender,
                    delivery.recipient,
                    tables::code(&header),
                    times::short(envelope.accept_time.as_ref()),
                    times::short(delivery.acknowledge_due_time.as_ref()),
                    times::short(delivery.acknowledge_time.as_ref()),
                    header.subject,
                ]);
            }
            if page.next_page_token.is_empty() {
                return out.text(table);
            }
            request.page_token = page.next_page_token;
        }
    }

    async fn show_figures(&self, agency: &Agency, out: &mut Out) -> Result<(), Exit> {
        let lang = out.lang();
        let mut request = v1::ListDutyFiguresRequest {
            organ: self.organ.clone().unwrap_or_default(),
            first_date: self.from.clone().unwrap_or_default(),
            last_date: self.to.clone().unwrap_or_default(),
            page_size: LIST_PAGE_MAX,
            page_token: String::new(),
        };
        let heads = [
            Word::Organs,
            Word::Day,
            Word::DueCount,
            Word::OverdueCount,
            Word::InTimeShare,
            Word::OverdueNow,
        ];
        let mut table = tables::framed(lang, &heads);
        loop {
            let page = agency.duty_figures(request.clone()).await.map_err(Exit::failed)?;
            for figures in &page.organs {
                out.object(&json::duty_figures(figures))?;
                let mut row = |day: &str, due: u64, overdue: u64, now: String| {
                    let organ = figures.organ.clone();
                    let (share, day) = (in_time(due, overdue), day.to_owned());
                    table.add_row([organ, day, due.to_string(), overdue.to_string(), share, now]);
                };
                for day in &figures.days {
                    row(&day.date, day.due, day.overdue, String::new());
                }
                let now = figures.overdue_now.to_string();
                row(Word::All.text(lang), figures.due, figures.overdue, now);
            }
            if page.next_page_token.is_empty() {
                return out.text(table);
            }
            request.page_token = page.next_page_token;
        }
    }
}

/// The share in time, `99.5 %`.
fn in_time(due: u64, overdue: u64) -> String {
    match due {
        0 => String::new(),
        due => format!("{:.1} %", due.saturating_sub(overdue) as f64 * 100.0 / due as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_in_time() {
        assert_eq!(in_time(200, 1), "99.5 %");
        assert_eq!(in_time(3, 3), "0.0 %");
        assert_eq!(in_time(0, 0), "");
    }
}
