//! The log: one JSON object or one text line for each event, to standard error. What is logged is decided where it is logged;
//! nothing there may hold what is in a document.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::log::{Format, Log};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("log.filter: {0}")]
    Filter(#[from] ParseError),
    /// The process has a log already.
    #[error("the log was started before: {0}")]
    Started(#[from] TryInitError),
}

/// Starts the process's log. Once in a process.
pub fn start(log: &Log) -> Result<(), Error> {
    let colours = io::stderr().is_terminal();
    Ok(subscriber(log, colours, io::stderr)?.try_init()?)
}

fn subscriber<W>(log: &Log, colours: bool, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(&log.filter)?).with_writer(writer);
    Ok(match log.format {
        Format::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
        Format::Text => Box::new(lines.with_ansi(colours).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, filter: &str) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = Log { format, filter: filter.to_owned() };
        let subscriber = subscriber(&log, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("submit", message_id = "m-1");
            let _inside = span.enter();
            tracing::info!(sender = "G22", "accepted");
            tracing::info!(target: "lapin", "chatter");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_with_its_ids() {
        let text = logged(Format::Json, "info,lapin=error");
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "accepted");
        assert_eq!(line["sender"], "G22");
        assert_eq!(line["span"]["message_id"], "m-1");
    }

    #[test]
    fn text_is_for_eyes() {
        let text = logged(Format::Text, "info");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("accepted") && text.contains("m-1") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(logged(Format::Text, "warn"), "");
    }
}
