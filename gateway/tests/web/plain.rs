//! Answers without what differs from run to run and from build to build.

/// Without spaces between tokens, ids, terms, and without `error`, which etcd's releases have beside `message`, and the
/// etcd that was asked has not.
pub(crate) fn plain(json: &str) -> String {
    let mut text = without_spaces(&json.replace('\u{a0}', " "));
    if let Some(rest) = text.strip_prefix("{\"error\":\"") {
        let end = rest.find("\",\"code\"").map_or(0, |at| at + 2);
        text = format!("{{{}", &rest[end..]);
    }
    for key in ["cluster_id", "member_id", "raft_term"] {
        text = without_numbers(&text, &format!("\"{key}\":\""), 1);
    }
    without_numbers(&text, ":\"", 15)
}

fn without_spaces(json: &str) -> String {
    let (mut is_inside, mut is_escaped) = (false, false);
    let kept = json.chars().filter(|c| {
        let keep = is_inside || *c != ' ';
        if *c == '"' && !is_escaped {
            is_inside = !is_inside;
        }
        is_escaped = is_inside && *c == '\\' && !is_escaped;
        keep
    });
    kept.collect()
}

/// `_` for every number with so many digits, or more, behind `mark`.
pub(crate) fn without_numbers(text: &str, mark: &str, least: usize) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = if digits >= least { "_" } else { &part[..digits] };
        out += &format!("{mark}{number}{}", &part[digits..]);
    }
    out
}
