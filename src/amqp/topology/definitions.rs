//! The fixed part as RabbitMQ imports it, for operators who set up a cluster before the gateway comes.

use serde_json::{Map, Value, json};

use super::{Argument, Topology};

impl Topology {
    /// The fixed exchanges, queues and bindings in the form of `rabbitmqctl import_definitions`, for a virtual host.
    pub fn definitions(&self, vhost: &str) -> String {
        let exchanges = self.exchanges().into_iter().map(|exchange| {
            json!({
                "name": exchange.name, "vhost": vhost, "type": exchange.spread.as_str(), "durable": true,
                "auto_delete": false, "internal": false, "arguments": {},
            })
        });
        let queues = self.queues().into_iter().map(|queue| {
            let value = |argument: &Argument| match argument {
                Argument::Text(text) => Value::from(text.as_str()),
                Argument::Number(number) => Value::from(*number),
                Argument::Flag(flag) => Value::from(*flag),
            };
            let arguments: Map<_, _> =
                queue.arguments.iter().map(|(name, argument)| ((*name).to_owned(), value(argument))).collect();
            json!({
                "name": queue.name, "vhost": vhost, "durable": true, "auto_delete": false, "arguments": arguments,
            })
        });
        let bindings = self.queues().into_iter().flat_map(|queue| {
            let name = queue.name;
            queue.bindings.into_iter().map(move |(exchange, key)| {
                json!({
                    "source": exchange, "vhost": vhost, "destination": name, "destination_type": "queue",
                    "routing_key": key, "arguments": {},
                })
            })
        });
        let definitions = json!({
            "exchanges": exchanges.collect::<Vec<_>>(),
            "queues": queues.collect::<Vec<_>>(),
            "bindings": bindings.collect::<Vec<_>>(),
        });
        let mut text = serde_json::to_string_pretty(&definitions).expect("maps with texts for keys are JSON");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_exported_definitions_are_what_is_declared() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let expected = Topology::default().definitions("/");
        let written =
            std::fs::read_to_string(root.join("config/rabbitmq.definitions.json")).unwrap_or_default();
        if written != expected {
            std::fs::create_dir_all(root.join("target")).unwrap();
            std::fs::write(root.join("target/rabbitmq.definitions.json"), expected).unwrap();
            panic!(
                "config/rabbitmq.definitions.json differs; the right one is in target/rabbitmq.definitions.json"
            );
        }
    }
}
