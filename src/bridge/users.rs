//! Broker users of agencies: their names, what they may do, and their passwords as RabbitMQ keeps them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::sender;
use crate::amqp::{MailboxQueue, Names};
use crate::domain::organ_id::OrganId;

/// Random bytes in a password.
const PASSWORD_BYTES: usize = 32;
/// Random bytes before a password where it is hashed; RabbitMQ's own number.
const SALT_BYTES: usize = 4;

/// What the operating system gives no randomness for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system has no randomness to give")]
pub struct NoRandomness;

/// What an agency's user may do, as regular expressions over names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Declare: nothing.
    pub configure: String,
    /// Publish to: the exchange of submissions.
    pub write: String,
    /// Consume from: its own queues.
    pub read: String,
}

impl Permissions {
    /// Those of an organ.
    pub fn of(organ: &OrganId, names: &Names) -> Self {
        let [urgent, normal] = MailboxQueue::ALL.map(|queue| literal(&names.mailbox(organ, queue)));
        let [receipts, dossiers] =
            [names.receipts_of(organ), names.dossiers_of(organ)].map(|name| literal(&name));
        Self {
            configure: "^$".to_owned(),
            write: format!("^{}$", literal(&names.submissions())),
            read: format!("^({normal}|{urgent}|{receipts}|{dossiers})$"),
        }
    }
}

/// A regular expression that matches this text. Names are of letters, digits, dots and dashes.
fn literal(name: &str) -> String {
    name.chars().flat_map(|c| if c.is_ascii_alphanumeric() { vec![c] } else { vec!['\\', c] }).collect()
}

/// A new password, from the system's randomness.
pub fn new_password() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random::<PASSWORD_BYTES>()?))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], NoRandomness> {
    let mut bytes = [0; BYTES];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A password as RabbitMQ keeps it.
pub fn password_hash(password: &str) -> Result<String, NoRandomness> {
    Ok(salted(random()?, password))
}

fn salted(salt: [u8; SALT_BYTES], password: &str) -> String {
    let hash = Sha256::new().chain_update(salt).chain_update(password).finalize();
    STANDARD.encode([salt.as_slice(), hash.as_slice()].concat())
}

/// Users as `rabbitmqctl import_definitions` takes them; each organ with the hash of its password.
pub fn definitions(users: &[(OrganId, String)], names: &Names, vhost: &str) -> Value {
    let user = |(organ, hash): &(OrganId, String)| {
        json!({
            "name": sender::user_of(organ),
            "password_hash": hash,
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "",
        })
    };
    let permission = |(organ, _): &(OrganId, String)| {
        let Permissions { configure, write, read } = Permissions::of(organ, names);
        let user = sender::user_of(organ);
        json!({ "user": user, "vhost": vhost, "configure": configure, "write": write, "read": read })
    };
    json!({
        "users": users.iter().map(user).collect::<Vec<_>>(),
        "permissions": users.iter().map(permission).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organ_may_only_submit_and_read_its_own() {
        let organ = OrganId::parse("H49.12").unwrap();
        let may = Permissions::of(&organ, &Names::default());
        assert_eq!((may.configure.as_str(), may.write.as_str()), ("^$", r"^truc\.submissions$"));
        assert_eq!(
            may.read,
            r"^(truc\.mailbox\.H49\.12|truc\.mailbox\.H49\.12\.urgent|truc\.receipts\.H49\.12|truc\.dossiers\.H49\.12)$"
        );
    }

    #[test]
    fn a_hash_is_the_one_rabbitmq_computes() {
        // The example of RabbitMQ's documentation on passwords: salt 908DC60A, password test12.
        let hash = salted([0x90, 0x8d, 0xc6, 0x0a], "test12");
        assert_eq!(hash, "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
        assert_ne!(password_hash("a").unwrap(), password_hash("a").unwrap());
    }

    #[test]
    fn passwords_are_long_and_new_each_time() {
        let (one, other) = (new_password().unwrap(), new_password().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    }
}
