//! As much of `protoc` as build scripts of Rust crates ask for: `-o FILE -I DIR... PROTO...` writes descriptors. What it
//! will never know: plug-ins, languages.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut output, mut folders, mut files) = (None, Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-o" => output = arguments.next().map(PathBuf::from),
            "-I" => folders.extend(arguments.next()),
            // Both are as they should be already.
            "--include_imports" | "--include_source_info" => {}
            _ => files.push(argument),
        }
    }
    let output = output.ok_or("there is no -o FILE")?;
    let mut compiler = protox::Compiler::new(folders)?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    Ok(std::fs::write(output, compiler.encode_file_descriptor_set())?)
}
