//! What the organs of a client process do, each in tasks of its own.

pub mod collecting;
pub mod following;
pub mod publishing;
pub mod stalling;
pub mod submitting;
pub mod watching;

use std::rc::Rc;

use tonic::transport::Channel;

use super::amqp;
use super::desk::{Desk, Tasks};
use super::error::Error;
use super::plan::{Door, Part};
use crate::identity::client::{self, ClientFiles, ClientTls};
use crate::proto::v1::document_exchange_service_client::DocumentExchangeServiceClient;
use crate::proto::v1::dossier_events_service_client::DossierEventsServiceClient;

/// A connection to a gateway.
pub type Client = DocumentExchangeServiceClient<Channel>;

/// A connection to its log of dossiers.
pub type DossierClient = DossierEventsServiceClient<Channel>;

/// Connects the organs of a plan and starts their tasks.
pub async fn start(desk: &Rc<Desk>, tasks: &mut Tasks) -> Result<(), Error> {
    let plan = &desk.plan;
    match &plan.part {
        Part::Exchange(door) => {
            for number in &plan.mine {
                exchange(desk, door, *number, tasks).await?;
            }
        }
        Part::OnBehalf(door) => {
            for number in &plan.mine {
                let client = exchange(desk, door, *number, tasks).await?;
                for below in plan.below(*number) {
                    collecting::start(desk, &desk.seat(below), client.clone(), tasks).await?;
                }
            }
        }
        Part::Fill(door) => {
            for number in &plan.mine {
                let (organ, client) = (desk.seat(*number), enter(desk, door, *number).await?);
                submitting::start(desk, &organ, client, submitting::End::Answer, tasks).await?;
            }
        }
        Part::Stall { door, slow } => {
            for number in &plan.mine {
                let client = enter(desk, door, *number).await?;
                stalling::start(desk, *number, client, number == slow, tasks).await?;
            }
        }
        Part::Amqp { url, queues } => {
            for number in &plan.mine {
                amqp::start(desk, &desk.seat(*number), url, queues, tasks).await?;
            }
        }
        Part::Publish { .. } | Part::Follow { .. } | Part::Read { .. } => {
            for number in &plan.mine {
                dossiers(desk, *number, tasks).await?;
            }
        }
        Part::PublishAmqp { url, queue, steps } => {
            for number in &plan.mine {
                amqp::steps::publish(desk, &desk.seat(*number), (url, queue), steps, tasks).await?;
            }
        }
        Part::FollowAmqp { url, queue, steps } => {
            for number in &plan.mine {
                amqp::steps::follow(desk, &desk.seat(*number), (url, queue), steps, tasks).await?;
            }
        }
    }
    Ok(())
}

/// An organ that has to do with the log of dossiers.
async fn dossiers(desk: &Rc<Desk>, number: usize, tasks: &mut Tasks) -> Result<(), Error> {
    let organ = desk.seat(number);
    match &desk.plan.part {
        Part::Publish { door, steps } => {
            publishing::start(desk, &organ, enter_log(desk, door, number).await?, steps, tasks).await
        }
        Part::Follow { door, steps } => {
            following::start(desk, &organ, enter_log(desk, door, number).await?, steps, tasks).await
        }
        Part::Read { door, steps } => {
            following::read(desk, &organ, enter_log(desk, door, number).await?, steps, tasks);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// An organ that submits, collects and watches.
async fn exchange(desk: &Rc<Desk>, door: &Door, number: usize, tasks: &mut Tasks) -> Result<Client, Error> {
    let (organ, client) = (desk.seat(number), enter(desk, door, number).await?);
    watching::start(desk, &organ, client.clone(), tasks).await?;
    collecting::start(desk, &organ, client.clone(), tasks).await?;
    submitting::start(desk, &organ, client.clone(), submitting::End::Receipt, tasks).await?;
    Ok(client)
}

async fn enter(desk: &Desk, door: &Door, number: usize) -> Result<Client, Error> {
    Ok(Client::new(channel(desk, door, number).await?).max_decoding_message_size(usize::MAX))
}

async fn enter_log(desk: &Desk, door: &Door, number: usize) -> Result<DossierClient, Error> {
    Ok(DossierClient::new(channel(desk, door, number).await?).max_decoding_message_size(usize::MAX))
}

async fn channel(desk: &Desk, door: &Door, number: usize) -> Result<Channel, Error> {
    let organ = &desk.plan.organs[number];
    let file = |name: String| door.pki.join(name);
    let tls = ClientTls::load(&ClientFiles {
        ca: file("ca.crt".to_owned()),
        certificate: file(format!("{organ}.crt")),
        key: file(format!("{organ}.key")),
    })?;
    Ok(client::connect(door.endpoint(number), &tls).await?)
}
