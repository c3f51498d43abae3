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

/// Where etcd hangs: it neither answers nor reads on.
#[tokio::test]
async fn what_is_no_request_ends_a_stream_with_an_error() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    for (path, body, said) in [
        ("/watch", "x", "invalid character 'x' looking for beginning of value"),
        (
            "/watch",
            "{\"create_request\":{\"key\":5}}",
            "proto: (line 1:26): invalid value for bytes field key: 5",
        ),
        ("/lease/keepalive", "[]", "proto: syntax error (line 1:1): unexpected token ["),
        ("/lease/keepalive", "{", "unexpected EOF"),
    ] {
        let (status, body) = post(address, path, body).await;
        assert_eq!((status, plain(&body)), (400, plain(&format!("{{\"code\":3,\"message\":\"{said}\"}}"))));
    }
    // Behind the first answer it is a line of the stream, with the fields that etcd's releases and newer builds have.
    let body = "{\"create_request\":{}} {\"create_request\":{\"key\":5}}";
    let mut lines = Lines::open(address, "POST /v3/watch", &[], body, true).await;
    assert!(lines.next(LONG).await.unwrap().contains("\"created\":true"));
    assert_eq!(
        lines.next(LONG).await.unwrap(),
        "{\"error\":{\"grpc_code\":3,\"http_code\":400,\"message\":\"proto: (line 1:26): invalid value for bytes field key: 5\",\
         \"http_status\":\"Bad Request\",\"code\":3}}"
    );
    assert_eq!(lines.next(LONG).await, None);
}

#[tokio::test]
async fn leaders_are_observed_line_by_line() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let mut lines =
        Lines::open(address, "POST /v3/election/observe", &[], "{\"name\":\"ZQ==\"}", false).await;
    for value in ["MQ==", "Mg=="] {
        let campaign = format!("/election/campaign {{\"name\":\"ZQ==\",\"value\":\"{value}\"}}");
        do_it(address, &campaign).await;
        let line = lines.next(LONG).await.unwrap();
        assert!(
            line.starts_with("{\"result\":{\"header\":{") && line.contains(&format!("\"value\":\"{value}\"")),
            "{line}"
        );
        let delete = "/kv/deleterange {\"key\":\"ZS8=\",\"range_end\":\"ZTA=\"}";
        do_it(address, delete).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_says_so_on_its_streams() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let mut lines = Lines::open(address, "POST /v3/watch", &[], "{\"create_request\":{}}", false).await;
    lines.next(LONG).await.unwrap();
    crate::common::soon("the stop", gate.server.stop(LONG)).await;
    let last = lines.next(LONG).await.unwrap();
    assert!(last.starts_with("{\"error\":{\"grpc_code\":14,\"http_code\":503,"), "{last}");
    assert_eq!(lines.next(LONG).await, None);
}

/// A watch that nobody reads is not read ahead: the server waits for its client, and keeps nothing for it.
#[tokio::test]
async fn a_watch_that_nobody_reads_holds_nobody_up() {
    let gate = one().await;
    let address = gate.server.local_addresses()[0];
    let unread =
        Lines::open(address, "POST /v3/watch", &[], "{\"create_request\":{\"key\":\"YQ==\"}}", false).await;
    let node = gate.node.client();
    crate::common::until("it is open", || node.status().sizes.watchers == 1).await;
    let value = "A".repeat(256 << 10);
    for _ in 0..100 {
        do_it(address, &format!("/kv/put {{\"key\":\"YQ==\",\"value\":\"{value}\"}}")).await;
    }
    let mut read = Lines::open(
        address,
        "POST /v3/watch",
        &[],
        "{\"create_request\":{\"key\":\"YQ==\",\"start_revision\":2}}",
        false,
    )
    .await;
    let mut seen = 0;
    while seen < 100 {
        seen += read.next(LONG).await.unwrap().matches("mod_revision").count();
    }
    // Whoever comes back to the first one finds everything there, too.
    let (mut unread, mut seen) = (unread, 0);
    while seen < 100 {
        seen += unread.next(LONG).await.unwrap().matches("mod_revision").count();
    }
}
