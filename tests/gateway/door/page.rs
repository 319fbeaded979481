//! What the page of a reason in `docs/errors/` promises.

use std::path::Path;

use tonic::Code;

/// A promise.
pub struct Page {
    /// The gRPC status code the reason always comes with.
    pub code: Code,
    /// Whether RetryInfo says when to come back.
    pub retry_info: bool,
}

impl Page {
    pub fn of(reason: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/errors/{reason}.md"));
        let text = std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{reason} has a page"));
        let code = text.split("gRPC: `").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
        Self { code: code_of(code), retry_info: text.contains("google.rpc.RetryInfo") }
    }
}

fn code_of(name: &str) -> Code {
    let all = (0..=16).map(Code::from);
    let plain = name.replace('_', "").to_lowercase();
    all.into_iter()
        .find(|code| format!("{code:?}").to_lowercase() == plain)
        .unwrap_or_else(|| panic!("{name} is a gRPC code"))
}
