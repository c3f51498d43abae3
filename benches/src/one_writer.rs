//! One writer, who waits for each write: beside a bare append and fdatasync, in turn with it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use kvorum::Client;

use crate::Options;
use crate::cluster::{Cluster, VALUE, key, one};
use crate::measure::{Spread, micros};
use crate::table::Row;

/// What one put takes in the log: a group of one entry fills one sector.
const LOGGED: usize = 512;

pub(crate) fn one_node(options: &Options) -> Row {
    let node = one(&options.dir.join("one"));
    let row = compare(options, "one writer, one node", 1.5, &node.client());
    drop(node);
    let _ = std::fs::remove_dir_all(options.dir.join("one"));
    row
}

pub(crate) fn three_nodes(options: &Options) -> Vec<Row> {
    let cluster = Cluster::three(&options.dir);
    vec![
        compare(options, "one writer, three nodes, at the leader", 3.0, &cluster.leader()),
        Row {
            met: None,
            target: String::new(),
            ..compare(options, "one writer, three nodes, at a follower", 3.0, &cluster.follower())
        },
    ]
}

/// Bare appends and puts in turn, so that whatever else the machine does hits both alike.
fn compare(options: &Options, name: &str, factor: f64, client: &Client) -> Row {
    let mut file = BareFile::new(&options.dir);
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for i in 0..options.scale(1500, 300) {
        bare.push(micros(|| file.append()));
        ours.push(micros(|| drop(client.put(key(i), VALUE).wait().expect("a put"))));
    }
    let (bare, ours) = (Spread::of(bare), Spread::of(ours));
    let ratio = ours.median / bare.median;
    Row::new(
        name,
        &format!("≤ {factor} × the bare append"),
        format!("{:.0} µs = {ratio:.2} ×", ours.median),
        ratio <= factor,
        format!("bare append + fdatasync of {LOGGED} B: {:.0} µs", bare.median),
    )
}

struct BareFile(File, std::path::PathBuf);

impl BareFile {
    fn new(dir: &Path) -> BareFile {
        let path = dir.join("bare");
        let _ = std::fs::remove_file(&path);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        BareFile(file.expect("a file in the directory to measure in"), path)
    }

    fn append(&mut self) {
        self.0.write_all(&[7; LOGGED]).expect("a write");
        self.0.sync_data().expect("a sync");
    }
}

impl Drop for BareFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.1);
    }
}
