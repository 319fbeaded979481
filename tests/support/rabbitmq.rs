//! A private RabbitMQ node.

use super::Node;

/// A node of RabbitMQ. Dropped, it ends.
pub struct RabbitMq(Node);

impl RabbitMq {
    /// Starts a node and waits until it takes connections.
    pub fn start() -> Self {
        Self(Node::start("rabbitmq", &[]))
    }

    /// Where it takes connections, its user and password included.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Where it takes connections, without a user.
    pub fn uri(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.0.port)
    }

    /// Kills it, without any chance to finish anything.
    pub fn kill(&self) {
        self.0.order("kill", &[]);
    }

    /// Stops it in good order.
    pub fn stop(&self) {
        self.0.order("stop", &[]);
    }

    /// Starts it again, with what it had.
    pub fn restart(&self) {
        self.0.restart();
    }
}
