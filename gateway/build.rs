//! Messages, services and their JSON mapping from `proto/`, into the build's own directory. Needs no `protoc`.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

#[path = "build/shapes.rs"]
mod shapes;

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for file in fs::read_dir("proto")? {
        files.push(file?.path());
    }
    files.sort();
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build");
    let descriptors = protox::compile(&files, ["proto"])?;

    let out = env::var("OUT_DIR")?;
    let mut json = pbjson_build::Builder::new();
    json.preserve_proto_field_names().ignore_unknown_fields();
    for file in &descriptors.file {
        json.register_file_descriptor(file.clone());
    }
    json.out_dir(&out);
    json.build(&[".mvccpb", ".authpb", ".etcdserverpb", ".v3lockpb", ".v3electionpb"])?;
    fs::write(Path::new(&out).join("shapes.rs"), shapes::of(&descriptors))?;
    fs::write(Path::new(&out).join("rpcs.rs"), shapes::rpcs(&descriptors))?;

    let mut messages = prost_build::Config::new();
    // The JSON reader finds a message's shape by its name.
    messages.enable_type_names();
    let code = tonic_prost_build::configure().build_transport(false).bytes(".");
    code.codec_path("crate::codec::Codec").compile_fds_with_config(descriptors, messages)?;
    Ok(())
}
