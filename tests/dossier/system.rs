//! A system of the scenario, as who starts and kills it sees it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use crate::job::{self, ANSWERED, END, Job, PUBLISHED, Role};
use crate::publisher;

/// How long a system may take for what is left once nothing more comes.
const END_MAX: Duration = Duration::from_secs(120);

/// A process of a system, and what it has told.
pub struct System {
    pub job: Job,
    file: PathBuf,
    process: Child,
    input: ChildStdin,
    told: Arc<Told>,
}

/// What a system tells, whichever of its processes.
#[derive(Default)]
pub struct Told {
    /// Steps it was answered, as far as it has told.
    answered: AtomicUsize,
    has_published: AtomicBool,
    /// What it says when something is wrong.
    lines: Mutex<Vec<String>>,
}

impl Told {
    /// Steps it was answered, each time counted.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

impl System {
    /// Starts a system.
    pub fn start(job: Job) -> Self {
        let file = job.journal("json");
        std::fs::write(&file, serde_json::to_vec(&job).unwrap()).unwrap();
        let told = Arc::default();
        let (process, input) = spawn(&file, &told);
        Self { job, file, process, input, told }
    }

    /// Whether it publishes.
    pub fn is_publisher(&self) -> bool {
        matches!(self.job.role, Role::Province | Role::Ministry)
    }

    /// What it tells.
    pub fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    /// Whether it has published all there is to publish.
    pub fn has_published(&self) -> bool {
        !self.is_publisher() || self.told.has_published.load(Ordering::Relaxed)
    }

    /// Whether it has ended; it may when it has published all.
    pub fn has_ended(&mut self) -> bool {
        let status = self.process.try_wait().unwrap();
        status.inspect(|status| self.good(*status)).is_some()
    }

    /// Kills it, and starts it again after a while.
    pub async fn kill(&mut self, pause: Duration) {
        self.process.kill().await.unwrap();
        tokio::time::sleep(pause).await;
        (self.process, self.input) = spawn(&self.file, &self.told);
    }

    /// Lets a second process publish what this one has still to publish, for a while: as a system does that is thought dead and is not.
    pub async fn double(&self, number: usize, time: Duration) {
        let own = self.job.journal(publisher::EXTENSION);
        let journal = self.job.journal.with_file_name(format!("double-{number}"));
        let job = Job { role: Role::Province, journal, ..self.job.clone() };
        let copied = std::fs::read(own).unwrap_or_default();
        std::fs::write(job.journal(publisher::EXTENSION), copied).unwrap();
        let mut double = Self::start(job);
        tokio::time::sleep(time).await;
        if !double.has_ended() {
            double.process.kill().await.unwrap();
        }
    }

    /// Waits for its end; a subscriber is told that nothing more will come.
    pub async fn end(mut self) {
        if self.job.role != Role::Province {
            self.input.write_all(format!("{END}\n").as_bytes()).await.unwrap();
        }
        match tokio::time::timeout(END_MAX, self.process.wait()).await {
            Ok(status) => self.good(status.unwrap()),
            Err(_) => panic!("{} does not end", self.job.organ),
        }
    }

    fn good(&self, status: ExitStatus) {
        let lines = self.told.lines.lock().unwrap();
        assert!(status.success(), "{}: {status}\n{}", self.job.organ, lines.join("\n"));
    }
}

fn spawn(file: &Path, told: &Arc<Told>) -> (Child, ChildStdin) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([job::TEST, "--exact", "--nocapture", "--test-threads=1"])
        .env(job::VARIABLE, file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (input, said) = (child.stdin.take().unwrap(), child.stderr.take().unwrap());
    tokio::spawn(listen(said, Arc::clone(told)));
    (child, input)
}

async fn listen(said: ChildStderr, told: Arc<Told>) {
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == PUBLISHED {
            told.has_published.store(true, Ordering::Relaxed);
        } else if let Some(answered) = line.strip_prefix(ANSWERED).and_then(|number| number.parse().ok()) {
            told.answered.fetch_max(answered, Ordering::Relaxed);
        } else {
            told.lines.lock().unwrap().push(line);
        }
    }
}
