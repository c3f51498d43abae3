//! The server as a process: started with flags on free ports of the loopback, waited for by its log, and ended by
//! signals.

mod disks;
mod kills;
mod load;
mod looks;
mod members;
#[path = "../common/ports.rs"]
mod ports;
mod process;
mod refusals;
mod serving;
mod starts;
