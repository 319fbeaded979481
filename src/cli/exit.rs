//! How the program ends, and what it says then. Exit codes are those of sysexits.h where they fit.

use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Exit {
    /// 1: it tried and failed.
    Failed(String),
    /// 2: what was compared is not the same. Nothing more is said.
    Different,
    /// 64: the command line or the configuration is wrong; nothing was tried.
    Usage(String),
    /// 141, as a shell shows for SIGPIPE: whoever read the answer has left. Nothing is said.
    Unread,
}

impl Exit {
    /// A failure with all its causes.
    pub fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(format!("{:#}", error.into()))
    }

    /// A wrong command line or configuration.
    pub fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// Says why, on standard error.
    #[expect(clippy::print_stderr, reason = "the program's last words, when there may be no log")]
    pub fn report(self) -> ExitCode {
        let (code, why) = match self {
            Self::Failed(why) => (1, why),
            Self::Usage(why) => (64, why),
            Self::Different => return ExitCode::from(2),
            Self::Unread => return ExitCode::from(141),
        };
        eprintln!("truc: {why}");
        ExitCode::from(code)
    }
}

/// What clap says of a command line: help is a success, anything else a wrong use.
pub fn usage(error: &clap::Error) -> ExitCode {
    // If the terminal is gone there is nobody to tell.
    let _gone = error.print().is_err();
    if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS }
}
