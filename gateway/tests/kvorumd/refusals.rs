//! What is refused, with which words, and that nothing is left behind.

use std::fs;
use std::net::TcpListener;

use crate::process::{Scratch, Server, alone, free_port, member, run};

/// The exit code, and all that was said.
fn refused<S: AsRef<str>>(flags: &[S]) -> (i32, String) {
    let output = run(flags);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_wrong_command_line_is_refused_in_gos_words() {
    for (flags, words) in [
        (&["--nosuch=1"][..], "flag provided but not defined: -nosuch"),
        (&["--name"], "flag needs an argument: -name"),
        (
            &["--strict-reconfig-check=maybe"],
            "invalid boolean value \"maybe\" for -strict-reconfig-check: parse error",
        ),
        (&["gateway"], "'gateway' is not supported by kvorumd"),
    ] {
        let (code, said) = refused(flags);
        assert_eq!(code, 2, "{said}");
        assert!(said.starts_with(words), "{said}");
    }
}

#[test]
fn every_flag_that_is_not_supported_is_named_with_its_reason() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    flags.extend(["--cert-file=c", "--key-file=k", "--unsafe-no-fsync"].map(String::from));
    let (code, said) = refused(&flags);
    assert_eq!(code, 1, "{said}");
    for name in ["--cert-file", "--key-file", "--unsafe-no-fsync"] {
        assert!(said.contains(&format!("\"error\":\"{name} is not supported by kvorumd: ")), "{said}");
    }
    assert!(!scratch.path().join("alone").exists(), "nothing was begun");
}

#[test]
fn a_configuration_file_that_is_not_understood_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.path().join("kvorumd.yaml");
    let file = path.to_str().unwrap();
    let (code, said) = refused(&["--config-file", file]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("open {file}: No such file")), "{said}");
    fs::write(&path, "name: a\nnosuch: 1\n").unwrap();
    assert!(refused(&["--config-file", file]).1.contains("there is no setting \\\"nosuch\\\""));
    fs::write(&path, "client-transport-security:\n  cert-file: c\n").unwrap();
    assert!(refused(&["--config-file", file]).1.contains("--cert-file is not supported by kvorumd: "));
}

#[test]
fn contradictions_are_refused_in_etcds_words() {
    for (flags, words) in [
        (&["positional"][..], "'positional' is not a valid flag; see 'kvorumd --help'"),
        (
            &["--name=a", "import", "file"],
            "'import' is a command, and comes first: kvorumd import FILE [flags]",
        ),
        (&["--name=a", "help"], "'help' is a command, and comes first: kvorumd help"),
        (
            &["--listen-client-urls=http://127.0.0.1:1"],
            "--advertise-client-urls is required when --listen-client-urls is set explicitly",
        ),
        (
            &["--election-timeout=300"],
            "--election-timeout[300ms] should be at least as 5 times as --heartbeat-interval[100ms]",
        ),
        (&["--log-level=foo"], "unrecognized level: \\\"foo\\\""),
    ] {
        let (code, said) = refused(flags);
        assert_eq!(code, 1, "{said}");
        let line = format!("\"msg\":\"failed to verify flags\",\"error\":\"{words}\"");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn a_cluster_that_does_not_fit_is_refused_in_etcds_words_and_begins_nothing() {
    let scratch = Scratch::new();
    let mut flags = alone(&scratch);
    flags.push("--initial-cluster=other=http://127.0.0.1:1".into());
    let (code, said) = refused(&flags);
    assert_eq!(code, 1);
    assert!(
        said.contains("couldn't find local name \\\"alone\\\" in the initial cluster configuration"),
        "{said}"
    );
    assert!(said.contains("\"level\":\"fatal\""), "{said}");
    assert!(!scratch.path().join("alone").exists());
    flags.pop();
    let nameless: Vec<String> = flags.iter().map(|flag| flag.replace("--name=alone", "--name=")).collect();
    let (code, said) = refused(&nameless);
    assert_eq!(code, 1);
    assert!(said.contains("couldn't find local name \\\"\\\" in the initial cluster"), "{said}");
    assert!(!scratch.path().join("alone").exists());
    // What was wrong can be put right.
    Server::ready(&flags).stop();
}

#[test]
fn a_port_in_use_is_refused_in_etcds_words_before_anything_is_begun() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (client, peer) in [(port, free_port()), (free_port(), port)] {
        let (code, said) = refused(&member("a", &[("a", peer)], client, &scratch.path().join("data")));
        assert_eq!(code, 1);
        assert!(
            said.contains(&format!("listen tcp 127.0.0.1:{port}: bind: address already in use")),
            "{said}"
        );
        assert!(!scratch.path().join("data").exists());
    }
}

#[test]
fn an_etcds_directory_is_refused_untouched_and_import_is_named() {
    let scratch = Scratch::new();
    let snap = scratch.path().join("alone/member/snap");
    fs::create_dir_all(&snap).unwrap();
    fs::write(snap.join("db"), "bolt").unwrap();
    let (code, said) = refused(&alone(&scratch));
    assert_eq!(code, 1);
    assert!(said.contains("kvorumd import FILE"), "{said}");
    assert_eq!(fs::read_dir(scratch.path().join("alone/member")).unwrap().count(), 1);
}

#[test]
fn what_is_inside_an_etcds_directory_is_refused_untouched_and_the_etcd_is_named() {
    let scratch = Scratch::new();
    let etcd = scratch.path().join("default.etcd");
    fs::create_dir_all(etcd.join("member/snap")).unwrap();
    fs::create_dir_all(etcd.join("member/wal")).unwrap();
    fs::write(etcd.join("member/snap/db"), "bolt").unwrap();
    for inner in ["member", "member/snap", "member/wal", "member/new"] {
        let flags = member("a", &[("a", free_port())], free_port(), &etcd.join(inner));
        let file = etcd.join("member/snap/db").display().to_string();
        let import =
            ["import", &file].into_iter().chain(flags.iter().map(String::as_str)).collect::<Vec<_>>();
        for (code, said) in [refused(&flags), refused(&import)] {
            assert_eq!(code, 1, "{said}");
            assert!(said.contains("default.etcd, a data directory of etcd"), "{said}");
            assert!(said.contains("kvorumd import FILE"), "{said}");
        }
    }
    let count = |dir: &str| fs::read_dir(etcd.join(dir)).unwrap().count();
    assert_eq!((count("."), count("member"), count("member/snap"), count("member/wal")), (1, 2, 1, 0));
}

/// Whoever starts the same member twice is told so, and not of its ports.
#[test]
fn a_directory_in_use_is_refused_before_its_ports() {
    let scratch = Scratch::new();
    let flags = alone(&scratch);
    let server = Server::ready(&flags);
    let mut others = alone(&scratch);
    others.retain(|flag| !flag.contains("initial"));
    for flags in [&flags, &others] {
        let (code, said) = refused(flags);
        assert_eq!(code, 1);
        assert!(said.contains("alone is in use by a running node: another kvorumd runs on it"), "{said}");
    }
    server.stop();
}

#[test]
fn a_wrong_directory_is_the_reason_even_if_the_ports_are_taken() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (wrong, reason) in
        [("member/snap", "is a data directory of etcd"), ("importing", "did not come to its end")]
    {
        let data_dir = scratch.path().join(wrong.replace('/', "-"));
        fs::create_dir_all(data_dir.join(wrong)).unwrap();
        let (code, said) = refused(&member("a", &[("a", port)], port, &data_dir));
        assert_eq!(code, 1);
        assert!(said.contains(reason), "{said}");
    }
}
