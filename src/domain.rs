//! What the exchange is about, without any machinery: no async, no network, no SQL, no clock reads.
//! Everything else depends on this; this depends on nothing else of the crate.

pub mod calendar;
pub mod change;
pub mod delivery;
pub mod dossier;
pub mod duty;
pub mod limits;
pub mod link;
pub mod message;
pub mod organ_id;
pub mod push;
pub mod receipt;
pub mod refusal;
pub mod retention;
pub mod status;
pub mod time;
pub mod turns;
