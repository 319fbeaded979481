//! A place at a RabbitMQ node for the gateways of one measurement: names nobody else uses, deleted afterwards.

use std::path::Path;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::uri::{AMQPScheme, AMQPUri};

use super::{broker, connect};
use crate::amqp::topology::Topology;
use crate::amqp::{MailboxQueue, Names};
use crate::bench::error::Error;
use crate::bench::secret;
use crate::config::Config;
use crate::config::broker::Kind;
use crate::domain::organ_id::OrganId;

/// Names at a RabbitMQ node.
#[derive(Clone, Debug)]
pub struct Quarters {
    url: String,
    prefix: String,
}

impl Quarters {
    /// Names that begin with this.
    pub fn new(url: &str, prefix: &str) -> Self {
        Self { url: url.to_owned(), prefix: format!("{prefix}.") }
    }

    /// Has a gateway work here; the password is put into a file of the folder.
    pub fn configure(&self, config: &mut Config, folder: &Path) -> Result<(), Error> {
        let uri: AMQPUri = self.url.parse().map_err(Error::Amqp)?;
        if uri.scheme != AMQPScheme::AMQP {
            return Err(Error::Impossible("--rabbitmq takes amqp:// without TLS".to_owned()));
        }
        config.broker.kind = Kind::RabbitMq;
        let rabbitmq = &mut config.rabbitmq;
        rabbitmq.uris = vec![format!("amqp://{}:{}", uri.authority.host, uri.authority.port)];
        rabbitmq.vhost = uri.vhost;
        rabbitmq.user = uri.authority.userinfo.username;
        rabbitmq.password_file = secret(folder, "rabbitmq.password", &uri.authority.userinfo.password)?;
        rabbitmq.name_prefix.clone_from(&self.prefix);
        Ok(())
    }

    /// Deletes everything gateways for these organs have made here, with all that is in it.
    pub async fn delete(&self, organs: &[String]) -> Result<(), Error> {
        let names = Names::with_prefix(&self.prefix);
        let of_organ = |organ: OrganId| {
            let mailbox = MailboxQueue::ALL.map(|queue| names.mailbox(&organ, queue));
            mailbox.into_iter().chain([names.receipts_of(&organ)])
        };
        let organs = organs.iter().filter_map(|organ| OrganId::parse(organ).ok());
        let topology = Topology { names: names.clone(), ..Topology::default() };
        let fixed = topology.queues().into_iter().map(|queue| queue.name);
        let connection = connect(&self.url).await?;
        let channel = connection.create_channel().await.map_err(broker)?;
        for queue in organs.flat_map(of_organ).chain(fixed) {
            let options = QueueDeleteOptions { nowait: true, ..QueueDeleteOptions::default() };
            channel.queue_delete(queue.as_str().into(), options).await.map_err(broker)?;
        }
        for exchange in topology.exchanges() {
            let options = ExchangeDeleteOptions::default();
            channel.exchange_delete(exchange.name.as_str().into(), options).await.map_err(broker)?;
        }
        connection.close(200, "done".into()).await.map_err(broker)
    }
}
