//! A tonic server behind the door and a tonic channel in front of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use truc::domain::time::{Clock, SystemClock};
use truc::identity::accept::AcceptLimits;
use truc::identity::client::{ClientTls, Error, connect};
use truc::identity::pki::{Existing, Revoke, Subject};
use truc::identity::tls::ServerTls;
use truc::identity::{Peer, Role};

use crate::support::{Door, listen, until};

type Seen = Arc<Mutex<Vec<Arc<Peer>>>>;

/// A health service that notes who calls.
async fn serve(tls: &Arc<ServerTls>) -> (SocketAddr, Seen) {
    let (address, incoming) = listen(tls, AcceptLimits::default()).await;
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    let note = move |request: Request<()>| {
        let peer = request.extensions().get::<Arc<Peer>>().ok_or_else(|| Status::internal("no peer"))?;
        notes.lock().unwrap().push(Arc::clone(peer));
        Ok(request)
    };
    let (_reporter, health) = tonic_health::server::health_reporter();
    let service = InterceptedService::new(health, note);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    (address, seen)
}

async fn check(channel: &Channel) -> Result<(), Status> {
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(channel.clone()).check(request).await.map(|_| ())
}

#[tokio::test]
async fn a_handler_finds_its_peer_and_a_revoked_channel_stays_out() {
    let door = Door::new();
    let h49 = door.organ("H49");
    let tls = door.tls();
    let (address, seen) = serve(&tls).await;
    let client = ClientTls::load(&door.client_files(&h49)).unwrap();
    let channel = connect(&format!("https://localhost:{}", address.port()), &client).await.unwrap();
    check(&channel).await.unwrap();
    let peer = Arc::clone(&seen.lock().unwrap()[0]);
    assert!(matches!(&peer.role, Role::Organ(id) if id.as_str() == "H49"));
    assert_eq!(peer.serial, h49.serial);
    assert_eq!(peer.fingerprint, truc::identity::inspect(&h49.certificate).unwrap().fingerprint);

    door.ca.revoke(Revoke::Serial(&h49.serial), SystemClock.now()).unwrap();
    assert_eq!(tls.reload().unwrap().cut, 1);
    until(|| tls.connections() == 0).await;
    assert!(check(&channel).await.is_err());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_gateway_of_another_name_or_ca_is_not_called() {
    let mut door = Door::new();
    let other = Subject::Server { dns: vec!["elsewhere.example.vn".into()], ips: vec![] };
    let other = door.ca.issue(&other, Door::year(), Existing::Keep).unwrap();
    (door.files.certificate, door.files.key) = (other.certificate, other.key);
    let (address, _) = serve(&door.tls()).await;
    let client = ClientTls::load(&door.client_files(&door.organ("H49"))).unwrap();
    let refused = connect(&format!("https://localhost:{}", address.port()), &client).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Connect { reason, .. } if reason.contains("elsewhere.example.vn")),
        "{refused}"
    );

    let stranger = Door::new();
    let client = ClientTls::load(&stranger.client_files(&stranger.organ("H49"))).unwrap();
    let refused = connect(&format!("https://localhost:{}", address.port()), &client).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Connect { reason, .. } if reason.contains("UnknownIssuer")),
        "{refused}"
    );
}

#[tokio::test]
async fn plain_text_and_nobody_there_are_told_apart() {
    let door = Door::new();
    let client = ClientTls::load(&door.client_files(&door.organ("H49"))).unwrap();
    let plain = connect("http://localhost:1", &client).await;
    assert!(matches!(plain, Err(Error::Plaintext(_))));
    let nobody = connect("https://localhost:1", &client).await.unwrap_err();
    assert!(matches!(&nobody, Error::Connect { reason, .. } if reason.contains("refused")), "{nobody}");
}
