//! The server in plain HTTP: etcd's JSON API, health and version, against what a real etcd said.

#[path = "../common/mod.rs"]
mod common;
#[path = "../odd/etcd.rs"]
mod etcd;
mod golden;
mod half_closed;
mod health;
mod http;
mod limits;
mod metrics;
mod odd;
mod plain;
#[path = "../common/ports.rs"]
mod ports;
mod rest;
mod room;
mod routes;
mod watch;
