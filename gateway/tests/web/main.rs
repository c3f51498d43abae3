//! The server in plain HTTP: etcd's JSON API, health and version, against what a real etcd said.

#[path = "../common/mod.rs"]
mod common;
mod golden;
mod http;
mod plain;
mod watch;
