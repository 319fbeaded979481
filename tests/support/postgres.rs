//! A private PostgreSQL server.

use super::Node;

/// A server of PostgreSQL. Dropped, it ends.
pub struct Postgres(Node);

impl Postgres {
    /// Starts a server and waits until it takes connections.
    pub fn start() -> Self {
        Self(Node::start("postgres", &["immediate"]))
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Ends it as a crash does: what it had not written is recovered at the next start.
    pub fn stop_immediate(&self) {
        self.0.order("stop", &["immediate"]);
    }

    /// Starts it again, with what it had.
    pub fn restart(&self) {
        self.0.restart();
    }
}
