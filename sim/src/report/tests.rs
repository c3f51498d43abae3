//! The page holds what happened, and nothing in it can get out of its place.

use super::*;
use crate::timeline::{Lane, Timeline, Told, What};
use crate::{Checker, Violation};
use kvorum_core::Time;

fn page(run: &Run) -> String {
    html(
        run,
        &RunOptions { without: [8].into(), ..RunOptions::default() },
        "kvorum-sim run --seed 2 --without '8'",
    )
}

fn data_of(page: &str) -> &str {
    let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    rest.split_once("</script>").unwrap().0
}

#[test]
fn all_lanes_are_there() {
    let page = page(&demo(2));
    let data = data_of(&page);
    for name in ["faults", "node 1", "node 5", "client 1", "client 6", "notes"] {
        assert!(data.contains(&format!("\"name\":\"{name}\"")), "{name}");
    }
    for kind in
        ["leader", "candidate", "follower", "down", "halted", "paused", "done", "refused", "unknown", "open"]
    {
        assert!(data.contains(&format!("\"kind\":\"{kind}\"")), "{kind}");
    }
    assert!(data.contains(r#""violation":41.327561,"#));
}

#[test]
fn the_verdict_stands_above() {
    let broken = page(&demo(2));
    assert!(broken.contains("Violation at 41.327561 s, seen by the history checker on node 2"));
    assert!(broken.contains("kvorum-sim run --seed 2 --without &#39;8&#39;"));
    let fine = page(&demo(1));
    assert!(fine.contains("No violation") && fine.contains(r#""violation":null"#));
}

#[test]
fn nothing_gets_out_of_its_place() {
    let nasty = "</script><script>alert(1)</script><!-- {{data}} & \" ' \u{2028}";
    let mut timeline = Timeline::default();
    timeline.begin();
    let mut note = |lane: Lane, what: What| timeline.note(Time::from_nanos(1), lane, || what);
    note(Lane::Client(nasty.into()), What::Call(1, nasty.into()));
    note(Lane::Client(nasty.into()), What::Return(1, Told::Refused, nasty.into()));
    note(Lane::World, What::Fault(0, nasty.into()));
    note(Lane::Node(1), What::Halted(nasty.into()));
    note(Lane::World, What::Note(nasty.into()));
    let violation = Some(Violation::new(Checker::App, nasty, nasty));
    let (trace, faults) = (nasty.to_string(), vec![nasty.to_string()]);
    let run = Run { nodes: 1, timeline, violation, trace, faults, ..Run::default() };
    let page = html(&run, &RunOptions::default(), nasty);
    assert!(!page.contains("<script>alert") && !page.contains("<!-- {{"));
    assert_eq!(page.matches("</script>").count(), 2, "the data's and the page's own");
    assert!(!data_of(&page).contains(['<', '>', '&', '\u{2028}']));
}

#[test]
fn a_minute_is_a_page_of_bounded_size() {
    let run = demo(4);
    let moments = run.timeline.moments().len();
    assert!(moments > 10_000, "{moments}");
    let page = page(&run);
    assert!(page.len() < 60_000 + 120 * moments, "{} bytes for {moments} moments", page.len());
}

#[test]
fn nothing_is_fetched() {
    let page = page(&demo(2));
    for word in ["http:", "https:", "//cdn", "src=", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn an_empty_run_is_a_page_too() {
    let page = html(&Run::default(), &RunOptions::default(), "");
    assert!(data_of(&page).contains(r#""lanes":[{"kind":"faults""#));
}

#[test]
fn seconds_lose_nothing() {
    assert_eq!(seconds(0), "0");
    assert_eq!(seconds(10_000_000_000), "10");
    assert_eq!(seconds(41_327_561_001), "41.327561001");
}
