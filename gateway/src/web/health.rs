//! `/health`, `/livez` and `/readyz`, as etcd has them. What it will never know: how something is checked.

use std::fmt::Write;

use http::{Response, StatusCode, Uri};
use kvorum_core::planted;
use tonic::body::Body;

use super::answer;
use crate::gateway::Gateway;
use crate::health::Check;

/// What makes a member live. (What is wrong with the others does not get better by starting this one anew.)
const LIVE: &[Check] = &[Check::SerializableRead];

/// Answers `/health`: whether the cluster is well as this member sees it; with `serializable=true`, this member.
pub(crate) async fn health(gateway: &Gateway, uri: &Uri) -> Response<Body> {
    let query = Query::of(uri);
    let wrong = what_is_wrong(gateway, &query).await;
    gateway.metrics.health(wrong.is_none());
    let (code, reason) = match wrong {
        None => return answer::text_alone("{\"health\":\"true\",\"reason\":\"\"}"),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, serde_json::json!(reason)),
    };
    answer::text(code, format!("{{\"health\":\"false\",\"reason\":{reason}}}\n"))
}

/// In etcd's order: alarms, leader, a read.
async fn what_is_wrong(gateway: &Gateway, query: &Query<'_>) -> Option<String> {
    let is_local = query.values("serializable").any(|value| value == "true");
    let status = gateway.client.status();
    let no_space = status.no_space && !planted!("health_overlooks_alarms");
    if no_space && !query.values("exclude").any(|name| name == "NOSPACE") {
        return Some("ALARM NOSPACE".into());
    }
    if !is_local && status.raft.leader == 0 {
        return Some("RAFT NO LEADER".into());
    }
    let read = gateway.can_read(is_local).await;
    read.err().map(|error| format!("RANGE ERROR:{error}"))
}

/// Answers `/livez…` and `/readyz…`; `None`: there is no such page.
pub(crate) async fn checks(gateway: &Gateway, uri: &Uri, is_get: bool) -> Option<Response<Body>> {
    let path = uri.path();
    let (root, one) = match path.rsplit_once('/')? {
        ("", root) => (root, None),
        (root, one) => (root.strip_prefix('/')?, Some(one)),
    };
    let all = match root {
        "livez" => LIVE,
        "readyz" => &Check::ALL,
        _ => return None,
    };
    let query = Query::of(uri);
    let is_asked = |check: &&Check| match one {
        Some(one) => check.name() == one,
        None => !query.values("exclude").any(|excluded| excluded == check.name()),
    };
    let asked: Vec<Check> = all.iter().filter(is_asked).copied().collect();
    if one.is_some() && asked.is_empty() {
        return None;
    }
    if !is_get {
        return Some(answer::only_get());
    }
    Some(run(gateway, root, &asked, query.has("verbose")).await)
}

async fn run(gateway: &Gateway, root: &str, asked: &[Check], is_verbose: bool) -> Response<Body> {
    let (mut said, mut is_well) = (String::new(), true);
    for check in asked {
        let result = gateway.check(*check).await;
        gateway.metrics.checked(root == "livez", *check, result.is_ok());
        is_well &= result.is_ok();
        let _ = match result {
            Ok(()) => writeln!(said, "[+]{} ok", check.name()),
            Err(error) => writeln!(said, "[-]{} failed: {error}", check.name()),
        };
    }
    match is_well {
        true => answer::text(StatusCode::OK, if is_verbose { said + "ok\n" } else { "ok\n".into() }),
        false => answer::text(StatusCode::SERVICE_UNAVAILABLE, said + "\n"),
    }
}

/// The parameters behind a path. None of those that are looked for needs escapes.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn of(uri: &'a Uri) -> Query<'a> {
        Query(uri.query().unwrap_or_default())
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs().filter_map(move |(key, value)| (key == name).then_some(value))
    }

    fn has(&self, name: &str) -> bool {
        self.pairs().any(|(key, _)| key == name)
    }
}
