//! `truc amqp users`: broker users of agencies, and what they may do.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Where;
use crate::app;
use crate::bridge::sender;
use crate::bridge::users::{self, Permissions};
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::words::Lang;
use crate::directory::Directory;
use crate::domain::organ_id::OrganId;

/// Make broker users for agencies / Tạo tài khoản RabbitMQ
///
/// Prints commands or definitions for RabbitMQ. Each password is made once, written to a file of its own that only
/// its owner can read, and never printed. A file that is there already is used as it is.
#[derive(Debug, Args)]
pub struct Users {
    #[command(flatten)]
    whom: Whom,
    /// Folder of the passwords, one file an organ: DIR/H49.password
    #[arg(long, value_name = "DIR", default_value = "amqp-users")]
    secrets: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t = Print::Commands)]
    print: Print,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// For this organ; may be repeated
    #[arg(long, value_name = "ID")]
    organ: Vec<OrganId>,
    /// For every organ the directory attaches by AMQP
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Print {
    /// Commands for a shell on a node of RabbitMQ
    Commands,
    /// JSON for `rabbitmqctl import_definitions`
    Definitions,
}

impl Users {
    pub(super) fn run(self) -> Result<(), Exit> {
        let config = self.place.config()?;
        let directory = app::read_directory(&config.directory).map_err(Exit::usage)?;
        let organs = self.organs(&directory)?;
        fs::create_dir_all(&self.secrets).map_err(|error| unwritable(&self.secrets, &error))?;
        let (options, topology) = app::rabbitmq(&config);
        let mut out = Out::new(Lang::En, Form { json: false });
        let mut hashed = Vec::with_capacity(organs.len());
        for organ in organs {
            let file = self.secrets.join(format!("{organ}.password"));
            let password = password(&file)?;
            match self.print {
                Print::Definitions => {
                    hashed.push((organ, users::password_hash(&password).map_err(Exit::failed)?));
                }
                Print::Commands => {
                    let may = Permissions::of(&organ, &topology.names);
                    out.text(commands(&organ, &file, &may, &options.vhost))?;
                }
            }
        }
        match self.print {
            Print::Commands => Ok(()),
            Print::Definitions => {
                let definitions = users::definitions(&hashed, &topology.names, &options.vhost);
                out.text(format!("{definitions:#}"))
            }
        }
    }

    fn organs(&self, directory: &Directory) -> Result<Vec<OrganId>, Exit> {
        if self.whom.all {
            return Ok(directory.attached_by_amqp().map(|organ| organ.id.clone()).collect());
        }
        for organ in &self.whom.organ {
            match directory.get(organ) {
                Some(found) if found.link.is_amqp() => {}
                Some(_) => {
                    return Err(Exit::usage(format!(
                        "{organ} is not attached by AMQP; set its link in the directory"
                    )));
                }
                None => return Err(Exit::usage(format!("{organ} is not in the directory"))),
            }
        }
        Ok(self.whom.organ.clone())
    }
}

/// The password in a file; made where there is none.
fn password(file: &Path) -> Result<String, Exit> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let password = users::new_password().map_err(Exit::failed)?;
            let write = || {
                let mut created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
                writeln!(created, "{password}")?;
                created.sync_all()
            };
            write().map_err(|error| unwritable(file, &error))?;
            Ok(password)
        }
        Err(error) => Err(Exit::failed(anyhow::anyhow!("{}: {error}", file.display()))),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Exit {
    Exit::Failed(format!("{}: {error}", path.display()))
}

fn commands(organ: &OrganId, file: &Path, may: &Permissions, vhost: &str) -> String {
    let user = quoted(&sender::user_of(organ));
    let [vhost, configure, write, read] = [vhost, &may.configure, &may.write, &may.read].map(quoted);
    let file = quoted(&file.display().to_string());
    format!(
        "rabbitmqctl add_user {user} < {file}\n\
         rabbitmqctl set_permissions -p {vhost} {user} {configure} {write} {read}"
    )
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("H49.password");
        let made = password(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(password(&file).unwrap(), made);
        assert!(password(&folder.path().join("none/H49.password")).is_err());
    }

    #[test]
    fn a_word_for_a_shell_stays_one() {
        assert_eq!(quoted("it's ^$"), r"'it'\''s ^$'");
    }
}
