//! The table: kvorumd, etcd, and how many times the one is the other.

use crate::load::Round;
use crate::process::Memory;

pub(crate) const HEAD: &str =
    "| row | | per second | server CPU each, µs | p50, ms | p99, ms | p99.9, ms | memory, MB |
| --- | --- | --- | --- | --- | --- | --- | --- |";

/// The middle of several rounds.
pub(crate) struct Measured {
    middle: Round,
    least: f64,
    most: f64,
}

impl Measured {
    pub(crate) fn of(rounds: &[Round]) -> Measured {
        let of = |value: fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let middle = |value: fn(&Round) -> f64| of(value).get(rounds.len() / 2).copied().unwrap_or(f64::NAN);
        let rates = of(|round| round.per_second);
        Measured {
            middle: Round {
                per_second: middle(|round| round.per_second),
                cpu: middle(|round| round.cpu),
                p50: middle(|round| round.p50),
                p99: middle(|round| round.p99),
                p999: middle(|round| round.p999),
                memory: middle(|round| round.memory as f64) as u64,
            },
            least: rates.first().copied().unwrap_or(f64::NAN),
            most: rates.last().copied().unwrap_or(f64::NAN),
        }
    }

    fn line(&self, row: &str, name: &str) -> String {
        let Round { per_second, cpu, p50, p99, p999, memory } = self.middle;
        let (least, most, memory) = (self.least, self.most, memory >> 20);
        format!(
            "| {row} | {name} | {per_second:.0} ({least:.0}–{most:.0}) | {cpu:.1} | {p50:.2} | {p99:.2} | {p999:.2} | {memory} |"
        )
    }
}

/// One row, a line for each, and a line of what kvorumd is of etcd.
pub(crate) fn line(row: &str, measured: &[Measured]) -> String {
    let mut lines: Vec<String> =
        measured.iter().zip(["kvorumd", "etcd"]).map(|(one, name)| one.line(row, name)).collect();
    if let [ours, theirs] = measured {
        let of = |value: fn(&Round) -> f64| value(&ours.middle) / value(&theirs.middle);
        lines.push(format!(
            "| {row} | **ratio** | **{:.1} ×** | **{:.2} ×** | {:.2} × | {:.2} × | {:.2} × | {:.2} × |",
            of(|round| round.per_second),
            of(|round| round.cpu),
            of(|round| round.p50),
            of(|round| round.p99),
            of(|round| round.p999),
            of(|round| round.memory as f64),
        ));
    }
    lines.join("\n")
}

const MEMORY_HEAD: &str = "| content | | resident, MB | of it anonymous, MB | of it of files, MB | peak, MB |
| --- | --- | --- | --- | --- | --- |";

/// What all three members take for each content.
pub(crate) fn memory<const N: usize>(both: &[[Memory; N]], contents: [&str; N]) -> String {
    let mut lines = vec![MEMORY_HEAD.to_owned()];
    for (at, content) in contents.into_iter().enumerate() {
        for (name, readings) in ["kvorumd", "etcd"].into_iter().zip(both) {
            let Memory { resident, anonymous, of_files, peak } = readings[at];
            let [resident, anonymous, of_files, peak] =
                [resident, anonymous, of_files, peak].map(|b| b >> 20);
            lines.push(format!("| {content} | {name} | {resident} | {anonymous} | {of_files} | {peak} |"));
        }
        if let [ours, theirs] = both {
            let of = |value: fn(&Memory) -> u64| value(&ours[at]) as f64 / value(&theirs[at]) as f64;
            lines.push(format!(
                "| {content} | **ratio** | **{:.2} ×** | {:.2} × | {:.2} × | {:.2} × |",
                of(|memory| memory.resident),
                of(|memory| memory.anonymous),
                of(|memory| memory.of_files),
                of(|memory| memory.peak),
            ));
        }
    }
    lines.join("\n")
}
