//! Watches over JSON, as etcd 3.5.30 answered them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::common::one;
use crate::http::{Lines, post};
use crate::plain::plain;

/// How long nothing has to be said to be nothing.
const SILENCE: Duration = Duration::from_millis(100);

const LONG: Duration = Duration::from_secs(20);

/// A record of a line is cut off behind so many characters.
const CUT: usize = 300;

/// A watch, what it asks, and what is done when it has been answered.
struct Asked<'a> {
    name: &'a str,
    body: String,
    meanwhile: Vec<&'a str>,
}

fn answers(golden: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut answers = BTreeMap::new();
    let mut name = "";
    for line in golden.lines() {
        if let Some(begins) = line.strip_prefix("--- ") {
            name = begins;
            answers.insert(name, Vec::new());
        } else if let Some(said) = line.strip_prefix("    {") {
            answers.get_mut(name).unwrap().push(said);
        }
    }
    answers
}

fn asked(requests: &str) -> (Vec<&str>, Vec<Asked<'_>>) {
    let (mut before, mut asked) = (Vec::new(), Vec::<Asked<'_>>::new());
    for line in requests.lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        match kind {
            "!" => before.push(rest),
            "+" => asked.last_mut().unwrap().meanwhile.push(rest),
            _ => {
                let (name, body) = rest.split_once(" | ").unwrap();
                asked.push(Asked { name, body: body.replace("} {", "}\n{"), meanwhile: Vec::new() });
            }
        }
    }
    (before, asked)
}

async fn do_it(address: SocketAddr, call: &str) {
    let (path, body) = call.split_once(' ').unwrap();
    let (status, said) = post(address, path, body).await;
    assert_eq!(status, 200, "{call}: {said}");
}

async fn converse(address: SocketAddr, asked: &Asked<'_>, expected: &[&str]) {
    let mut lines = Lines::open(address, "POST /v3/watch", &[], &asked.body, false).await;
    for (at, etcds) in expected.iter().enumerate() {
        let ours = lines.next(LONG).await.unwrap_or_else(|| panic!("{}: no line {at}", asked.name));
        let (ours, mut etcds) = (plain(&ours), plain(&format!("{{{etcds}")));
        if etcds.len() + 100 > CUT {
            etcds.truncate(etcds.len().min(ours.len()));
        }
        assert!(
            ours.starts_with(&etcds) && (ours.len() == etcds.len() || etcds.len() > 100),
            "{}:\n  etcd: {etcds}\n  said: {ours}",
            asked.name
        );
        if at == 0 {
            for call in &asked.meanwhile {
                do_it(address, call).await;
            }
        }
    }
    let more = lines.next(SILENCE).await;
    assert_eq!(more, None, "{}: etcd says nothing more", asked.name);
}

#[tokio::test]
async fn watches_say_what_etcd_says() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let answers = answers(include_str!("../golden/golden_watch.etcd-3.5.30.txt"));
    let (before, asked) = asked(include_str!("../golden/requests_watch.txt"));
    for call in before {
        do_it(address, call).await;
    }
    assert_eq!(asked.len(), answers.len());
    for asked in asked {
        converse(address, &asked, &answers[asked.name]).await;
    }
}

#[tokio::test]
async fn a_watch_that_is_cut_off_by_its_client_is_gone() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let body = "{\"create_request\":{\"key\":\"YQ==\"}}";
    let mut lines = Lines::open(address, "POST /v3/watch", &[], body, false).await;
    assert!(lines.next(LONG).await.unwrap().contains("created"));
    drop(lines);
    // The server waits for whatever is under way; a watch that nobody reads would be waited for in vain.
    crate::common::soon("the stop", gate.server.stop(LONG)).await;
}
