//! Running the program, and a gateway of its own to talk to.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a run of the program ended.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// It must have ended like this.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    /// Its answer, one object a line.
    pub fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The one object of its answer.
    #[track_caller]
    pub fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{}", self.out);
        objects.remove(0)
    }
}

/// The program with arguments separated by spaces, in a folder; nothing of the machine's settings reaches it.
pub fn truc(dir: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truc"));
    command.args(args.split_whitespace()).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    command.env_clear().env("LANG", "C.UTF-8").env("COLUMNS", "100");
    command
}

/// Runs a command to its end.
pub async fn end(mut command: Command) -> Done {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: code(output.status), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs the program to its end.
pub async fn run(dir: &Path, args: &str) -> Done {
    end(truc(dir, args)).await
}

fn code(status: ExitStatus) -> i32 {
    status.code().expect("it was not killed")
}

/// The program at work.
pub struct Running {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, out, err }
    }

    /// The next object of its answer.
    pub async fn object(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.out.next_line()).await.expect("a line").unwrap();
        let line = line.expect("it goes on");
        serde_json::from_str(&line).expect(&line)
    }

    /// The next object of a type.
    pub async fn object_of(&mut self, kind: &str) -> Value {
        loop {
            let object = self.object().await;
            if object["type"] == kind {
                return object;
            }
        }
    }

    /// Reads its log up to a message.
    pub async fn logged(&mut self, message: &str) -> Value {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.err.next_line()).await.expect("a line").unwrap();
            let line = line.expect("it goes on");
            match serde_json::from_str::<Value>(&line) {
                Ok(object) if object["message"] == message => return object,
                Ok(_) => {}
                Err(_) => panic!("no log line: {line}"),
            }
        }
    }

    /// Tells it to stop; gives its exit code.
    pub async fn interrupt(self) -> i32 {
        let id = i32::try_from(self.child.id().expect("it runs")).unwrap();
        let pid = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.ended().await
    }

    /// Waits for its end; gives its exit code.
    pub async fn ended(mut self) -> i32 {
        code(tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap())
    }
}

/// A gateway served by the program, with a CA and profiles made by the program.
pub struct Gateway {
    pub dir: TempDir,
    pub endpoint: String,
    // Lines of configuration beside the necessary ones.
    settings: &'static str,
    running: Option<Running>,
}

impl Gateway {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// With these sections of configuration beside the necessary ones.
    pub async fn start_with(settings: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), "pki init").await.ended(0);
        run(dir.path(), "pki issue --server localhost 127.0.0.1").await.ended(0);
        let mut gateway = Self { dir, endpoint: String::new(), settings, running: None };
        gateway.serve("127.0.0.1:0").await;
        for organ in ["G22", "H49", "H05"] {
            gateway.profile(&format!("--organ {organ}"), organ).await;
        }
        gateway.profile("--operator lan", "lan").await;
        gateway
    }

    async fn profile(&self, whom: &str, name: &str) {
        let endpoint = &self.endpoint;
        self.run(&format!("pki issue {whom} --profile {name} --endpoint {endpoint}")).await.ended(0);
    }

    async fn serve(&mut self, listen: &str) {
        let settings = self.settings;
        let config = format!(
            "[gateway]\nlisten = \"{listen}\"\n[ops]\nlisten = \"127.0.0.1:0\"\n[tls]\ncert = \"pki/localhost.crt\"\n\
             key = \"pki/localhost.key\"\nclient_ca = \"pki/ca.crt\"\ncrls = [\"pki/crl.pem\"]\n\
             [ledger]\ndisk_free_bytes_min = 0\n{settings}"
        );
        std::fs::write(self.path("truc.toml"), config).unwrap();
        let mut running = Running::start(truc(self.dir.path(), "serve --config truc.toml"));
        let up = running.logged("the gateway is up").await;
        self.endpoint = format!("https://{}", up["address"].as_str().unwrap());
        self.running = Some(running);
    }

    /// Stops it in good order, and starts it again where it was.
    pub async fn restart(&mut self) {
        assert_eq!(self.running.take().unwrap().interrupt().await, 0);
        let listen = self.endpoint.strip_prefix("https://").unwrap().to_owned();
        self.serve(&listen).await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, args: &str) -> Command {
        truc(self.dir.path(), args)
    }

    pub async fn run(&self, args: &str) -> Done {
        run(self.dir.path(), args).await
    }
}
