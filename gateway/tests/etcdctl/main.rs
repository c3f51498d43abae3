//! etcdctl, unchanged, against kvorumd: it prints what it prints against a real etcd. Skipped where there is no etcd 3.5.30
//! with an etcdctl beside it (see `odd/etcd.rs` for where it is looked for). `KVORUM_CHECK_PERF`: `check perf`, too,
//! which takes a minute. `KVORUM_SHOW` prints the whole conversation.

#[path = "../common/mod.rs"]
mod common;
#[path = "../odd/etcd.rs"]
mod etcd;
mod keys;
mod members;
#[path = "../common/ports.rs"]
mod ports;
#[allow(dead_code)]
#[path = "../kvorumd/process.rs"]
mod process;
mod sessions;
mod three;
mod tool;

use std::path::PathBuf;

use process::{Scratch, Server, client_url, free_port, member};
use tool::{Etcdctl, masked};

/// What kvorumd answers where a feature is not there yet; the test says so and goes on.
const NOT_YET: &str = "code = Unimplemented";

/// One server's side of a conversation.
struct Talk {
    ctl: Etcdctl,
    said: Vec<String>,
}

impl Talk {
    /// Runs a command and notes what it prints.
    fn say(&mut self, arguments: &[&str]) -> String {
        self.say_with(arguments, "")
    }

    fn say_with(&mut self, arguments: &[&str], input: &str) -> String {
        let said = self.ctl.run(arguments, input);
        self.note(&arguments.join(" "), &said);
        said
    }

    fn note(&mut self, what: &str, said: &str) {
        self.said.push(masked(&format!("$ etcdctl {what}\n{said}")));
    }
}

#[tokio::test]
async fn etcdctl_prints_what_it_prints_against_etcd() {
    let (etcd, folder) = match (etcd::start().await, folder()) {
        (Ok(etcd), Ok(folder)) => (etcd, folder),
        (Err(why), _) | (_, Err(why)) => return eprintln!("skipped: {why}"),
    };
    let scratch = Scratch::new();
    let flags = member("m", &[("m", free_port())], free_port(), &scratch.path().join("m"));
    let server = Server::ready(&flags);
    let expected = converse(Etcdctl::new(&folder, &etcd.address.to_string()));
    let said = converse(Etcdctl::new(&folder, client_url(&flags).trim_start_matches("http://")));
    if std::env::var_os("KVORUM_SHOW").is_some() {
        eprintln!("{}", said.join("\n"));
    }
    let mut wrong = String::new();
    for (expected, said) in expected.iter().zip(&said) {
        if said.contains(NOT_YET) && !expected.contains(NOT_YET) {
            eprintln!("skipped: not there yet: {said}");
        } else if expected != said {
            wrong += &format!("etcd:\n{expected}\nkvorumd:\n{said}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert_eq!(expected.len(), said.len());
    server.stop();
}

/// Where etcdctl is; or why there is none.
fn folder() -> Result<PathBuf, String> {
    let folder = etcd::find()?.parent().unwrap().to_path_buf();
    match folder.join("etcdctl").is_file() {
        true => Ok(folder),
        false => Err(format!("there is no etcdctl in {}", folder.display())),
    }
}

fn converse(ctl: Etcdctl) -> Vec<String> {
    let mut talk = Talk { ctl, said: Vec::new() };
    keys::talk(&mut talk);
    sessions::talk(&mut talk);
    members::talk(&mut talk);
    talk.said
}
