//! `truc check-config`: says what a gateway would run on, or what is wrong with it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::exit::Exit;
use super::out::{Form, Out};
use super::words::Lang;
use crate::allowances::Allowances;
use crate::app;
use crate::config::{self, Config};
use crate::domain::time::SystemClock;
use crate::identity::tls::ServerTls;
use crate::metrics::Metrics;

/// Check a configuration and say what is wrong / Kiểm tra cấu hình
///
/// Checks the file, the environment, and the files it names. Prints what holds.
#[derive(Debug, Args)]
pub struct CheckConfig {
    /// Configuration file; without one, the defaults are checked
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only the values, not the certificates and directory files they name
    #[arg(long)]
    values_only: bool,
    #[command(flatten)]
    form: Form,
}

impl CheckConfig {
    /// Checks.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let config = Config::load(self.config.as_deref(), config::environment()).map_err(Exit::usage)?;
        if !self.values_only {
            let metrics = Arc::new(Metrics::unobserved());
            ServerTls::load(app::tls_files(&config), Arc::new(SystemClock), metrics).map_err(Exit::usage)?;
            app::read_directory(&config.directory).map_err(Exit::usage)?;
            Allowances::read(&config.limits.organs).map_err(Exit::usage)?;
        }
        let mut out = Out::new(lang, self.form);
        out.object(&serde_json::to_value(&config).map_err(Exit::failed)?)?;
        out.text(config.to_string().trim_end())
    }
}
