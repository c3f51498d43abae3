//! etcd's messages and the core's, into each other: by moving, never by copying bytes. What it will never know: whether
//! a request makes sense.

mod answers;
mod requests;

pub(crate) use answers::{header, pairs};
