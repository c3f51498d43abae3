//! Requests out of JSON, answers into it. Reading follows protobuf's mapping to Go's letter, and says what is wrong in
//! Go's words, as etcd does: that takes tables of all messages (`shapes`), a scanner that finds where a value ends
//! (`scan`) and a reader (`read`) that turns it into the bytes that gRPC would have brought. Writing is left to the
//! mapping that the build made. What it will never know: routes and connections.

mod number;
mod read;
mod scan;
mod shapes;
mod text;

use prost::{Message, Name};
use serde::Serialize;
use tonic::Status;

pub(crate) use scan::{Progress, Scan};

/// Reads one message from JSON of which [`Scan`] has seen that it is whole.
///
/// # Errors
///
/// What is wrong with it, as etcd would say it.
pub(crate) fn read<T: Message + Name + Default>(json: &[u8]) -> Result<T, Status> {
    let shape = shapes::of(T::PACKAGE, T::NAME);
    let bytes = read::message(json, shape).map_err(Status::invalid_argument)?;
    // What it cannot be, beyond what was looked at, is nested too deep.
    T::decode(&bytes[..]).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// Writes a message.
pub(crate) fn write<T: Serialize>(message: &T) -> Result<Vec<u8>, Status> {
    serde_json::to_vec(message).map_err(|error| Status::internal(error.to_string()))
}
