//! Messages, services and their JSON mapping from `proto/`, into the build's own directory. Needs no `protoc`.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for file in fs::read_dir("proto")? {
        files.push(file?.path());
    }
    files.sort();
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(&files, ["proto"])?;

    let mut json = pbjson_build::Builder::new();
    json.preserve_proto_field_names().ignore_unknown_fields();
    for file in &descriptors.file {
        json.register_file_descriptor(file.clone());
    }
    json.out_dir(env::var("OUT_DIR")?);
    json.build(&[".mvccpb", ".authpb", ".etcdserverpb", ".v3lockpb", ".v3electionpb"])?;

    let code = tonic_prost_build::configure().build_transport(false).bytes(".");
    code.codec_path("crate::codec::Codec").compile_fds(descriptors)?;
    Ok(())
}
