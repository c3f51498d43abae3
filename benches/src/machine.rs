//! What the numbers were measured on.

use std::fs::read_to_string;
use std::path::Path;

/// One line a fact.
pub(crate) fn describe(dir: &Path) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("cpu", format!("{cores} × {}", field("/proc/cpuinfo", "model name"))),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
        ("file system", file_system(dir)),
        ("load at the start", first_line("/proc/loadavg")),
        ("commit", commit()),
    ]
}

fn first_line(path: &str) -> String {
    read_to_string(path).ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
}

fn field(path: &str, name: &str) -> String {
    let text = read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().into())
}

/// The type and options of the file system that holds `dir`: the mount with the longest path above it.
fn file_system(dir: &Path) -> String {
    let mounts = read_to_string("/proc/mounts").unwrap_or_default();
    let rows = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (_, place, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
        dir.starts_with(place).then(|| (place.len(), format!("{kind} ({options}) at {place}")))
    });
    rows.max_by_key(|(length, _)| *length).map_or_else(|| "unknown".into(), |(_, text)| text)
}

fn commit() -> String {
    let asked = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    asked.ok().and_then(|out| String::from_utf8(out.stdout).ok()).unwrap_or_default().trim().into()
}
