//! The contract of `proto/truc/v1`, generated, and how its values and the domain's become each other.

pub mod codec;
pub mod convert;
pub mod dossier;
pub mod page;

/// Package `truc.v1`.
#[allow(missing_docs, reason = "generated; the comments of the proto files are its documentation")]
#[allow(unused_qualifications, clippy::all, reason = "generated")]
pub mod v1 {
    pub use super::page::SubscribeResponse;

    tonic::include_proto!("truc.v1");
}

/// The contract's descriptor set, for reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/truc.v1.bin"));
