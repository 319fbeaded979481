//! Compiles the contract in `proto/` without protoc, and keeps its descriptor for reflection.

use std::path::PathBuf;

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder this way")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files =
        ["exchange", "directory", "operations", "evidence", "errors", "document", "inbox", "link", "dossier"]
            .map(|name| format!("proto/truc/v1/{name}.proto"));
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("truc.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        .codec_path("crate::proto::codec::TypedCodec")
        .extern_path(".truc.v1.SubscribeResponse", "crate::proto::page::SubscribeResponse")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
