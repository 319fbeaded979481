//! A real gateway in a process of its own, with a CA, and clients of its agencies.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic_types::StatusExt;
use truc::domain::organ_id::OrganId;
use truc::domain::time::{Clock, SystemClock};
use truc::identity::client::{ClientFiles, ClientTls, connect};
use truc::identity::pki::{Ca, Existing, Issued, Subject, Validity};
use truc::proto::v1::directory_service_client::DirectoryServiceClient;
use truc::proto::v1::document_exchange_service_client::DocumentExchangeServiceClient;
use truc::proto::v1::{self, collect_request, settlement, submission};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first line of a directory file.
pub const DIRECTORY_COLUMNS: &str =
    "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below";

/// Ends a test that waits for what does not come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Waits until something asked again and again is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    soon(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Where a gateway lives: its folder outlives its processes.
pub struct Site {
    pub dir: Arc<TempDir>,
    pub ca: Arc<Ca>,
    file: String,
    config: String,
}

/// A running gateway process. Dropped, it is killed.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    pub ops: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// A site with these lines of configuration beside the necessary ones: `limits.rate_per_s = 5`.
    pub fn new(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(&dir.path().join("pki"), SystemClock.now(), Existing::Keep).unwrap();
        let server = Subject::Server { dns: vec!["localhost".into()], ips: vec![[127, 0, 0, 1].into()] };
        let server = ca.issue(&server, Self::year(), Existing::Keep).unwrap();
        let mut config = format!(
            "gateway.listen = \"127.0.0.1:0\"\nops.listen = \"127.0.0.1:0\"\ntls.cert = {:?}\ntls.key = {:?}\n\
             tls.client_ca = {:?}\ntls.crls = [{:?}]\nledger.path = {:?}\nops.control = {:?}\nlog.filter = \"info\"\n",
            server.certificate,
            server.key,
            ca.certificate_path(),
            ca.crl_path(),
            dir.path().join("data/ledger.db"),
            dir.path().join("truc.sock"),
        );
        for setting in settings {
            config.push_str(setting);
            config.push('\n');
        }
        Self { dir: Arc::new(dir), ca: Arc::new(ca), file: "truc.toml".into(), config }
    }

    /// The place of another gateway of the same site, for the same agencies, with the configuration this one has now.
    #[allow(dead_code, reason = "of use to tests that kill gateways")]
    pub fn beside(&self, name: &str) -> Self {
        let (dir, ca) = (Arc::clone(&self.dir), Arc::clone(&self.ca));
        let mut site = Self { dir, ca, file: format!("{name}.toml"), config: self.config.clone() };
        site.set(format!("ops.control = {:?}", self.path(&format!("{name}.sock"))));
        site
    }

    /// Sets one more line of configuration, for the next start.
    pub fn set(&mut self, setting: impl AsRef<str>) {
        let (key, _) = setting.as_ref().split_once(" = ").unwrap();
        self.config =
            self.config.lines().filter(|line| !line.starts_with(key)).map(|l| format!("{l}\n")).collect();
        self.config.push_str(setting.as_ref());
        self.config.push('\n');
    }

    /// Gives the site the organs the program carries and those of these CSV rows. A gateway that runs takes them when
    /// it reloads.
    pub fn directory(&mut self, rows: &str) {
        let carried = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/directory");
        let own = self.path("organs.csv");
        std::fs::write(&own, format!("{DIRECTORY_COLUMNS}\n{rows}\n")).unwrap();
        let files = [carried.join("central.csv"), carried.join("provinces.csv"), own];
        self.set(format!("directory.files = {files:?}"));
    }

    pub fn year() -> Validity {
        Validity::days(SystemClock.now(), 365)
    }

    /// Where something of this site is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The configuration file of this site.
    pub fn config_file(&self) -> PathBuf {
        self.path(&self.file)
    }

    /// The command that starts the gateway of this site.
    pub fn command(&self) -> Command {
        let config = self.config_file();
        std::fs::write(&config, &self.config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_truc"));
        command.arg("serve").arg("--config").arg(&config).stderr(Stdio::piped()).stdin(Stdio::null());
        command
    }

    /// Starts the gateway of this site and waits until it is up.
    pub fn start(&self) -> Process {
        self.try_start().unwrap_or_else(|why| panic!("the gateway did not start: {why}"))
    }

    /// The same, of a gateway that may have a reason not to start.
    pub fn try_start(&self) -> Result<Process, String> {
        let mut child = self.command().spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let addresses = loop {
            let Some(Ok(line)) = lines.next() else {
                let status = child.wait();
                return Err(format!("{status:?} {:?}", log.lock().unwrap()));
            };
            log.lock().unwrap().push(line.clone());
            if line.contains("the gateway is up") {
                let event: serde_json::Value = serde_json::from_str(&line).unwrap();
                let address = |key: &str| event[key].as_str().unwrap().parse().unwrap();
                break (address("address"), address("ops_address"));
            }
        };
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Ok(Process { child, address: addresses.0, ops: addresses.1, log })
    }

    /// Certificate and key of an organ, issued when there is none yet.
    pub fn organ(&self, id: &str) -> Issued {
        let organ = OrganId::parse(id).unwrap();
        self.issue(&Subject::Organ(organ, format!("Cơ quan thử {id}")), &self.path("pki"), id)
    }

    /// Certificate and key of an operator.
    pub fn operator(&self, name: &str) -> Issued {
        self.issue(&Subject::Operator(name.into()), &self.path("pki"), name)
    }

    fn issue(&self, subject: &Subject, dir: &Path, name: &str) -> Issued {
        let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        if certificate.exists() {
            return Issued { certificate, key, serial: String::new() };
        }
        self.ca.issue(subject, Self::year(), Existing::Keep).unwrap()
    }

    /// A channel with a certificate of this site.
    pub async fn channel(&self, gateway: &Process, issued: &Issued) -> Channel {
        let files = ClientFiles {
            ca: self.ca.certificate_path(),
            certificate: issued.certificate.clone(),
            key: issued.key.clone(),
        };
        let tls = ClientTls::load(&files).unwrap();
        soon("connect", connect(&format!("https://{}", gateway.address), &tls)).await.unwrap()
    }

    /// A client of an organ.
    pub async fn agency(&self, gateway: &Process, id: &str) -> Agency {
        Agency::new(self.channel(gateway, &self.organ(id)).await, id)
    }
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, without any chance to finish anything.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// True when it has ended by itself.
    #[allow(dead_code, reason = "of use to tests that kill gateways")]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Stops it in good order; gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }

    /// Waits until it ends by itself; gives its exit code.
    pub async fn exited(mut self) -> Option<i32> {
        let child = &mut self.child;
        let ended = soon("the end of the gateway", async {
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        ended.await
    }

    /// Waits until it has logged a text.
    pub async fn logged(&self, text: &str) {
        until(text, async || self.log().contains(text)).await;
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// The answer of a path of the ops listener: status line and body.
    pub async fn get(&self, path: &str) -> (String, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut tcp = tokio::net::TcpStream::connect(self.ops).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("ops answer", tcp.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// The value of a metric, by its full name with labels; 0 when it is not there.
    pub async fn metric(&self, name: &str) -> f64 {
        let (_, page) = self.get("/metrics").await;
        let value = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        value.map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed and waited for already, or to be now.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A gateway never panics, whatever a test did to it.
        let log = self.log.lock().unwrap();
        let panicked = log.iter().find(|line| line.contains("panicked at"));
        if let (Some(line), false) = (panicked, std::thread::panicking()) {
            panic!("the gateway panicked: {line}");
        }
    }
}

/// A client of one organ.
#[derive(Clone)]
pub struct Agency {
    pub id: String,
    pub exchange: DocumentExchangeServiceClient<Channel>,
    pub directory: DirectoryServiceClient<Channel>,
}

/// A Collect stream, opened.
pub struct Collecting {
    pub requests: tokio::sync::mpsc::Sender<v1::CollectRequest>,
    pub responses: tonic::Streaming<v1::CollectResponse>,
}

impl Agency {
    pub fn new(channel: Channel, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            exchange: DocumentExchangeServiceClient::new(channel.clone())
                .max_decoding_message_size(256 * 1024 * 1024)
                .max_encoding_message_size(256 * 1024 * 1024),
            directory: DirectoryServiceClient::new(channel),
        }
    }

    pub async fn submit(&self, submission: v1::Submission) -> Result<v1::Acceptance, tonic::Status> {
        let request = v1::SubmitRequest { submission: Some(submission) };
        let response = soon("submit", self.exchange.clone().submit(request)).await?;
        Ok(response.into_inner().acceptance.unwrap())
    }

    pub async fn track(&self, sender: &str, message_id: &str) -> Result<v1::TrackResponse, tonic::Status> {
        let request = v1::TrackRequest { sender: sender.into(), message_id: message_id.into() };
        Ok(soon("track", self.exchange.clone().track(request)).await?.into_inner())
    }

    pub async fn fetch(&self, max: u32, wait_s: i64) -> Vec<v1::Delivery> {
        let request = v1::FetchRequest {
            max_deliveries: max,
            wait: Some(prost_types::Duration { seconds: wait_s, nanos: 0 }),
            ..Default::default()
        };
        soon("fetch", self.exchange.clone().fetch(request)).await.unwrap().into_inner().deliveries
    }

    pub async fn settle(&self, settlements: Vec<v1::Settlement>) -> Vec<v1::SettleResult> {
        let request = v1::SettleRequest { organ: String::new(), settlements };
        soon("settle", self.exchange.clone().settle(request)).await.unwrap().into_inner().results
    }

    pub async fn collect(&self, window: u32) -> Collecting {
        self.collect_by(v1::CollectOpen { window, ..Default::default() }).await
    }

    pub async fn collect_by(&self, open: v1::CollectOpen) -> Collecting {
        self.try_collect(open).await.unwrap()
    }

    pub async fn try_collect(&self, open: v1::CollectOpen) -> Result<Collecting, tonic::Status> {
        let (requests, queue) = tokio::sync::mpsc::channel(16);
        let open = v1::CollectRequest { request: Some(collect_request::Request::Open(open)) };
        requests.send(open).await.unwrap();
        let responses = soon("collect", self.exchange.clone().collect(ReceiverStream::new(queue))).await?;
        Ok(Collecting { requests, responses: responses.into_inner() })
    }

    /// All receipts of this organ there are now.
    pub async fn receipts(&self, cursor: &str) -> (Vec<v1::Receipt>, String) {
        let request =
            v1::WatchReceiptsRequest { cursor: cursor.into(), until_now: true, ..Default::default() };
        let mut pages = self.exchange.clone().watch_receipts(request).await.unwrap().into_inner();
        let (mut receipts, mut cursor) = (Vec::new(), cursor.to_owned());
        while let Some(page) = soon("receipts", pages.next()).await {
            let page = page.unwrap();
            receipts.extend(page.receipts);
            cursor = page.cursor;
        }
        (receipts, cursor)
    }
}

impl Collecting {
    /// The next deliveries; answers to settlements that come before them are passed over.
    pub async fn deliveries(&mut self) -> Vec<v1::Delivery> {
        loop {
            let response = soon("deliveries", self.responses.message()).await.unwrap().unwrap();
            if !response.deliveries.is_empty() {
                return response.deliveries;
            }
        }
    }

    /// The next results of settlements; deliveries that come before them are passed over.
    pub async fn settled(&mut self) -> Vec<v1::SettleResult> {
        loop {
            let response = soon("results", self.responses.message()).await.unwrap().unwrap();
            if !response.settled.is_empty() {
                return response.settled;
            }
        }
    }

    /// Waits for the end of the stream; gives the status it ended with, if it was one.
    pub async fn end(&mut self) -> Option<tonic::Status> {
        loop {
            match soon("the end of a stream", self.responses.message()).await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    }

    pub async fn settle(&self, settlements: Vec<v1::Settlement>) {
        let settle = v1::CollectSettle { settlements };
        let request = v1::CollectRequest { request: Some(collect_request::Request::Settle(settle)) };
        self.requests.send(request).await.unwrap();
    }
}

/// A document that is not edXML, good in every way.
pub fn document(message_id: &str, to: &[&str], payload: impl Into<Vec<u8>>) -> v1::Submission {
    let header = v1::DocumentHeader {
        recipients: to.iter().map(|id| (*id).to_owned()).collect(),
        subject: "V/v kiểm thử liên thông".into(),
        code: Some(v1::DocumentCode { number: "7816".into(), notation: "VPCP-TTĐT".into() }),
        promulgation_date: "2026-11-20".into(),
        ..Default::default()
    };
    let document = v1::OpaqueDocument {
        header: Some(header),
        payload: payload.into().into(),
        media_type: "application/pdf".into(),
    };
    v1::Submission {
        message_id: message_id.into(),
        content: Some(submission::Content::Document(document)),
        ..Default::default()
    }
}

/// An edXML file as a submission.
pub fn edxml(message_id: &str, file: impl Into<Vec<u8>>) -> v1::Submission {
    let edxml = v1::EdxmlDocument { file: file.into().into() };
    v1::Submission {
        message_id: message_id.into(),
        content: Some(submission::Content::Edxml(edxml)),
        ..Default::default()
    }
}

/// The settlement of a delivery by which the recipient takes it over.
pub fn delivered(delivery: &v1::Delivery) -> v1::Settlement {
    v1::Settlement {
        delivery_id: delivery.delivery_id.clone(),
        lease: delivery.lease.clone(),
        outcome: Some(settlement::Outcome::Delivered(v1::Delivered {})),
    }
}

/// The reason in a status's details; empty when it has none.
pub fn reason(status: &tonic::Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}
