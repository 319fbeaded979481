//! `truc dossier consumers`.

use clap::Args;
use serde_json::{Value, json};

use super::texts;
use crate::cli::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::tables::Rows;
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, times};
use crate::proto::v1;

const COLUMNS: [(Word, u16); 5] = [
    (Word::Consumer, 20),
    (Word::Share, 8),
    (Word::Position, 12),
    (Word::Behind, 10),
    (Word::BehindSince, 24),
];

/// List the named consumers of an organ and how far each is / Người nhận và vị trí
#[derive(Debug, Args)]
pub struct Consumers {
    /// Forget this consumer, with its place
    #[arg(long, value_name = "CONSUMER")]
    forget: Option<String>,
    /// The organ [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Consumers {
    /// Lists them, or forgets one.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let organ = self.organ.unwrap_or_default();
        let listed = block_on(async {
            let agency = self.connection.agency().await?;
            if let Some(consumer) = self.forget {
                let request = v1::DeleteConsumerRequest { organ: organ.clone(), consumer };
                agency.delete_consumer(request).await.map_err(Exit::failed)?;
            }
            agency.list_consumers(v1::ListConsumersRequest { organ }).await.map_err(Exit::failed)
        })?;
        let mut rows = Rows::new(&COLUMNS);
        for progress in &listed.consumers {
            let share = progress.consumer.clone().unwrap_or_default();
            out.object(&as_json(progress, &share))?;
            let cells = vec![
                share.consumer,
                format!("{}/{}", share.share, share.shares),
                progress.position.to_string(),
                progress.behind.to_string(),
                times::short(progress.behind_since_time.as_ref()),
            ];
            rows.write(&mut out, cells)?;
        }
        Ok(())
    }
}

fn as_json(progress: &v1::ConsumerProgress, share: &v1::ConsumerShare) -> Value {
    let filter = progress.filter.clone().unwrap_or_default();
    json!({
        "type": "consumer",
        "consumer": share.consumer,
        "share": share.share,
        "shares": share.shares,
        "position": progress.position,
        "behind": progress.behind,
        "behind_since_time": times::exact(progress.behind_since_time.as_ref()),
        "filter": texts::filter(&filter),
    })
}
