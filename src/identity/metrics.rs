//! The figures of this part, in one table.

/// Handshakes by how they ended, label `result`.
pub const HANDSHAKES: &str = "truc_tls_handshakes_total";
/// Connections there are now.
pub const CONNECTIONS: &str = "truc_connections";

enum Kind {
    Counter,
    Gauge,
}

const TABLE: [(&str, Kind, &str); 2] = [
    (
        HANDSHAKES,
        Kind::Counter,
        "TLS handshakes of callers by result: ok, revoked, expired, unknown_ca, no_certificate, timeout, other.",
    ),
    (CONNECTIONS, Kind::Gauge, "Callers' connections that are open now."),
];

/// Gives the recorder in use the help texts.
pub fn describe() {
    for (name, kind, help) in TABLE {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
        }
    }
}
