//! A node of RabbitMQ, a gateway on it, and agencies with users of their own.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::site::{DIRECTORY_COLUMNS, Process, Site};

/// The first of three ports in a row that nobody has; below those the system gives away by itself.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut firsts = std::iter::repeat_with(|| 12_000 + fastrand::u16(..2_500) * 8);
    firsts.find(|port| (*port..*port + 3).all(is_free)).unwrap()
}

/// Starts of a node before it is given up.
const STARTS_MAX: usize = 5;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn succeeded(what: &str, output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A node of RabbitMQ. The tests that run at a time share one.
pub struct Node {
    folder: TempDir,
    pub port: u16,
}

impl Node {
    /// The node there is, or a new one.
    pub fn shared() -> Arc<Self> {
        static NODE: Mutex<Weak<Node>> = Mutex::new(Weak::new());
        let mut shared = NODE.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let node = Arc::new(Self::start());
            *shared = Arc::downgrade(&node);
            node
        })
    }

    /// A node that is nobody else's.
    pub fn own() -> Arc<Self> {
        Arc::new(Self::start())
    }

    /// Ends it as a crash does, and starts it again with what it had.
    pub fn crash(&self) {
        for order in [vec!["kill"], vec!["start"]] {
            let mut script = Command::new(root().join("tests/rabbitmq"));
            script.arg(order[0]).arg(self.folder.path());
            if order[0] == "start" {
                script.arg(self.port.to_string());
            }
            succeeded("tests/rabbitmq", &script.output().unwrap());
        }
    }

    fn start() -> Self {
        // Somebody else may take a port between the look and the start.
        let mut starts = std::iter::repeat_with(Self::try_start).take(STARTS_MAX);
        starts.find_map(|started| started.map_err(|why| println!("{why}")).ok()).unwrap()
    }

    fn try_start() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let port = free_ports();
        let mut start = Command::new(root().join("tests/rabbitmq"));
        let done = start.arg("start").arg(folder.path()).arg(port.to_string()).output().unwrap();
        match done.status.success() {
            true => Ok(Self { folder, port }),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        }
    }

    /// Does what `rabbitmqctl` does.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        succeeded(
            "rabbitmqctl",
            &self.command("/usr/lib/rabbitmq/bin/rabbitmqctl").args(arguments).output().unwrap(),
        )
    }

    /// Runs lines in a shell that finds `rabbitmqctl`.
    pub fn shell(&self, lines: &str) -> String {
        let lines = format!("PATH=/usr/lib/rabbitmq/bin:$PATH\n{lines}");
        succeeded("the shell", &self.command("sh").args(["-e", "-c", &lines]).output().unwrap())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.folder.path())
            .env("RABBITMQ_HOME_DIR", self.folder.path())
            .env("RABBITMQ_NODENAME", format!("truc{}@localhost", self.port))
            .env("ERL_EPMD_PORT", (self.port + 2).to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let stopped =
            Command::new(root().join("tests/rabbitmq")).arg("stop").arg(self.folder.path()).status();
        assert!(std::thread::panicking() || stopped.unwrap().success());
    }
}

/// A gateway's place on a virtual host of its own, with agencies.
pub struct World {
    pub node: Arc<Node>,
    pub site: Site,
    pub vhost: String,
    rows: Vec<(String, String)>,
}

impl World {
    /// A place where these organs are attached: `("H70.1", "amqp-json")`. No two tests name the same organ.
    pub fn new(vhost: &str, organs: &[(&str, &str)]) -> Self {
        Self::on(Node::shared(), vhost, organs)
    }

    /// The same, on this node.
    pub fn on(node: Arc<Node>, vhost: &str, organs: &[(&str, &str)]) -> Self {
        let mut site = Site::new(&[]);
        site.set("broker.kind = \"rabbitmq\"");
        site.set(format!("rabbitmq.uris = [\"amqp://127.0.0.1:{}\"]", node.port));
        site.set(format!("rabbitmq.vhost = {vhost:?}"));
        let rows = organs.iter().map(|(id, link)| ((*id).to_owned(), (*link).to_owned())).collect();
        let mut world = Self { node, site, vhost: vhost.to_owned(), rows };
        world.write_directory();
        world.make_users();
        world
    }

    /// Attaches an organ otherwise; a gateway that runs takes it when it reloads.
    pub fn attach(&mut self, organ: &str, link: &str) {
        self.rows.iter_mut().find(|(id, _)| id == organ).unwrap().1 = link.to_owned();
        self.write_directory();
    }

    fn write_directory(&mut self) {
        let row = |(id, link): &(String, String)| format!("{id},Cơ quan thử {id},,,,,,{link}\n");
        let rows: String = self.rows.iter().map(row).collect();
        std::fs::write(self.site.path("organs.csv"), format!("{DIRECTORY_COLUMNS},link\n{rows}")).unwrap();
        let file = self.site.path("organs.csv");
        self.site.set(format!("directory.files = [{file:?}]"));
    }

    fn make_users(&self) {
        let users = ["amqp", "users", "--all", "--secrets", "secrets", "--print", "definitions"];
        let text = self.truc(&users);
        let mut definitions: Value = serde_json::from_str(&text).unwrap();
        definitions["vhosts"] = json!([{ "name": self.vhost }]);
        let guest =
            json!({ "user": "guest", "vhost": self.vhost, "configure": ".*", "write": ".*", "read": ".*" });
        definitions["permissions"].as_array_mut().unwrap().push(guest);
        let file = self.site.path("users.json");
        std::fs::write(&file, definitions.to_string()).unwrap();
        self.node.ctl(&["import_definitions", file.to_str().unwrap()]);
    }

    /// Starts the gateway.
    pub fn gateway(&self) -> Process {
        self.site.start()
    }

    /// Runs a command of the program with the gateway's configuration; gives what it printed.
    pub fn truc(&self, arguments: &[&str]) -> String {
        let (output, errors) = self.try_truc(arguments);
        output.unwrap_or_else(|| panic!("truc {arguments:?}: {errors}"))
    }

    /// The same; nothing where it failed, and what it said.
    pub fn try_truc(&self, arguments: &[&str]) -> (Option<String>, String) {
        // Writes the configuration, too.
        drop(self.site.command());
        let mut command = Command::new(env!("CARGO_BIN_EXE_truc"));
        command.current_dir(self.site.dir.path()).args(arguments);
        let done = command.arg("--config").arg(self.site.path("truc.toml")).output().unwrap();
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success().then(|| String::from_utf8(done.stdout).unwrap()), errors)
    }

    /// The agency's program with these arguments: to be run with what goes to its standard input.
    pub fn agency(&self, form: &str, arguments: &[&str]) -> Agency {
        let descriptors = self.site.path("truc.v1.bin");
        std::fs::write(&descriptors, truc::proto::DESCRIPTOR_SET).unwrap();
        let mut command = Command::new(python());
        command
            .arg(root().join("tests/amqp/agency.py"))
            .args(["--port", &self.node.port.to_string(), "--vhost", &self.vhost, "--form", form])
            .arg("--secrets")
            .arg(self.site.path("secrets"))
            .arg("--descriptors")
            .arg(descriptors)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Agency(command)
    }

    /// Publishes these messages as an organ; gives what the agency printed.
    pub async fn publish(&self, organ: &str, messages: Vec<Value>) -> Value {
        let printed = self.agency("json", &["publish", organ]).run(messages).await;
        printed.into_iter().next_back().unwrap()
    }

    /// Takes messages of a queue.
    pub async fn take(&self, organ: &str, queue: &str, count: usize) -> Vec<Value> {
        let count = count.to_string();
        self.agency("json", &["take", organ, queue, "--count", &count]).run(Vec::new()).await
    }
}

/// A program in Python, ready to run.
pub struct Agency(Command);

impl Agency {
    /// Runs it to its end; gives the JSON lines it printed.
    pub async fn run(self, input: Vec<Value>) -> Vec<Value> {
        tokio::task::spawn_blocking(move || self.run_here(&input)).await.unwrap()
    }

    fn run_here(mut self, input: &[Value]) -> Vec<Value> {
        let mut child = self.0.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let lines: String = input.iter().map(|message| format!("{message}\n")).collect();
        // One that ends early reads no further, and says why.
        let writing = std::thread::spawn(move || drop(stdin.write_all(lines.as_bytes())));
        let printed = succeeded("the agency", &child.wait_with_output().unwrap());
        writing.join().unwrap();
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The Python of the tests, with its packages.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let made = Command::new(root().join("tests/python")).output().unwrap();
        succeeded("tests/python", &made).trim().into()
    })
}

/// A submission of a small document, as JSON.
pub fn submission(message_id: &str, recipient: &str) -> Value {
    json!({
        "messageId": message_id,
        "document": {
            "header": {
                "recipients": [recipient],
                "subject": "V/v kiểm thử liên thông",
                "code": { "number": "7816", "notation": "VPCP-TTĐT" },
                "promulgationDate": "2026-11-20",
            },
            "payload": "JVBERi0xLjcK",
            "mediaType": "application/pdf",
        },
    })
}

/// The message that submits it, for [`World::publish`].
pub fn submit(message_id: &str, recipient: &str) -> Value {
    let body = json!({ "submission": submission(message_id, recipient) });
    json!({ "type": "truc.v1.SubmitRequest", "body": body, "message_id": message_id })
}
