//! The command `kvorum-sim`: runs seeds, replays one, makes a failing one small, draws it, and finds
//! planted bugs. sim/README.md tells how to use it.
#![forbid(unsafe_code)]

mod command;

fn main() -> std::process::ExitCode {
    command::main()
}
