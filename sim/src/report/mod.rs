//! A run as a page to look at: one file that needs nothing else, no network and no libraries.
//!
//! | file | topic |
//! | --- | --- |
//! | `demo` | a made-up run, to work on the page with |
//! | `lanes` | from moments to bands, bars and marks, lane by lane |
//! | `page.html`, `page.css` | what the page is made of |
//! | `page/*.js` | drawing it, and finding one's way in it |
//!
//! The page's frame is written here, so that the verdict can be read even where no script runs. What
//! happened goes in as JSON.

mod demo;
mod lanes;

use crate::json;
use crate::{Run, RunOptions};

#[doc(hidden)]
pub use demo::demo;

/// Bytes that mean something in HTML, taken literally.
fn escape(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The page of a run, which must have been run with a timeline. `replay` is the command that runs it again.
///
/// ```
/// use kvorum_sim::{RunOptions, rehearse, report};
///
/// let mut options = RunOptions { timeline: true, ..RunOptions::default() };
/// options.duration = std::time::Duration::from_secs(2);
/// let page = report::html(&rehearse(7, &options), &options, "cargo run -p kvorum-sim -- run --seed 7");
/// assert!(page.starts_with("<!doctype html>"));
/// ```
pub fn html(run: &Run, options: &RunOptions, replay: &str) -> String {
    let summary = format!(
        "{} nodes, {} s of faults, {:.1} s simulated, {} moments",
        run.nodes,
        options.duration.as_secs_f64(),
        run.simulated.as_secs_f64(),
        run.timeline.moments().len()
    );
    let script =
        [include_str!("page/scene.js"), include_str!("page/draw.js"), include_str!("page/hands.js")].concat();
    let parts = [
        ("seed", run.seed.to_string()),
        ("summary", escape(&summary)),
        ("verdict", verdict(run)),
        ("replay", escape(replay)),
        ("counts", counts(run)),
        ("trace", escape(&run.trace)),
        ("css", include_str!("page.css").to_string()),
        ("data", data(run, options)),
        ("script", script),
    ];
    fill(include_str!("page.html"), &parts)
}

/// Puts parts where the page names them: `{{name}}`. What is put in is not looked at again.
fn fill(page: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = page.split("{{");
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").expect("the page's own braces are closed");
        let (_, part) = parts.iter().find(|(known, _)| *known == name).expect("a part that is known");
        out.push_str(part);
        out.push_str(rest);
    }
    out
}

fn verdict(run: &Run) -> String {
    let Some(violation) = &run.violation else {
        return r#"<section class="verdict fine"><h2>No violation</h2><p>Every promise was kept.</p></section>"#.into();
    };
    let node = violation.node.map(|node| format!(" on node {node}")).unwrap_or_default();
    format!(
        r#"<section class="verdict broken"><h2>Violation at {:.6} s, seen by the {} checker{node}</h2>
<dl><dt>promised</dt><dd>{}</dd><dt>seen</dt><dd>{}</dd></dl></section>"#,
        violation.at.as_nanos() as f64 / 1e9,
        violation.checker,
        escape(&violation.promised),
        escape(&violation.seen),
    )
}

fn counts(run: &Run) -> String {
    let row = |(name, count): (&&str, &u64)| format!("<tr><td>{}</td><td>{count}</td></tr>", escape(name));
    run.counts.iter().map(row).collect()
}

fn data(run: &Run, options: &RunOptions) -> String {
    let drawn = lanes::draw(run);
    let fault = |(number, words): (usize, &String)| {
        let span = drawn.struck.get(&number);
        json::object([
            ("number", number.to_string()),
            ("text", json::text(words)),
            ("kept", options.keeps(number).to_string()),
            ("at", span.map_or_else(|| "null".into(), |at| seconds(*at))),
        ])
    };
    let at =
        run.violation.as_ref().map_or_else(|| "null".into(), |violation| seconds(violation.at.as_nanos()));
    let seen = run.violation.as_ref().map(|violation| violation.seen.as_str());
    json::object([
        ("end", seconds(drawn.end)),
        ("violation", at),
        ("seen", json::maybe(seen)),
        ("faults", json::list(run.faults.iter().enumerate().map(fault))),
        ("lanes", json::list(drawn.lanes)),
    ])
}

/// Seconds with all that a clock of nanoseconds shows, and no digit more.
fn seconds(nanos: u64) -> String {
    let whole = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    whole.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests;
