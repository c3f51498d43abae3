//! What the operating system knows of this process; nothing where it is not Linux. What it will never know: etcd.

use std::fs;

/// A value with its name, its kind and what it is.
pub(crate) type Value = (&'static str, &'static str, &'static str, f64);

/// Clock ticks a second in what Linux shows, on every machine that it runs on.
const TICKS: f64 = 100.0;

/// What can be found out.
pub(crate) fn values() -> Vec<Value> {
    let mut values = Vec::new();
    let fds = fs::read_dir("/proc/self/fd").map(|entries| entries.count().saturating_sub(1));
    if let Ok(fds) = fds {
        values.push(("process_open_fds", "gauge", "Open files.", fds as f64));
        values.push(("os_fd_used", "gauge", "Open files.", fds as f64));
    }
    if let Some(most) = file("/proc/self/limits").and_then(|limits| most_files(&limits)) {
        values.push(("process_max_fds", "gauge", "How many files may be open.", most));
        values.push(("os_fd_limit", "gauge", "How many files may be open.", most));
    }
    let status = file("/proc/self/status").unwrap_or_default();
    if let Some(bytes) = kilobytes(&status, "VmRSS:") {
        values.push(("process_resident_memory_bytes", "gauge", "Resident memory.", bytes));
    }
    if let Some(bytes) = kilobytes(&status, "VmSize:") {
        values.push(("process_virtual_memory_bytes", "gauge", "Virtual memory.", bytes));
    }
    values.extend(times());
    values
}

fn times() -> Vec<Value> {
    let Some(stat) = file("/proc/self/stat") else { return Vec::new() };
    // Behind the name, which may have spaces.
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect())
        .unwrap_or_default();
    let mut values = Vec::new();
    if let (Some(user), Some(system)) = (fields.get(11), fields.get(12)) {
        let seconds = (user + system) / TICKS;
        values.push(("process_cpu_seconds_total", "counter", "Processor time, in seconds.", seconds));
    }
    let booted = file("/proc/stat").and_then(|stat| word_behind(&stat, "btime"));
    if let (Some(booted), Some(ticks)) = (booted, fields.get(19)) {
        let began = booted + ticks / TICKS;
        values.push(("process_start_time_seconds", "gauge", "When it was started, in Unix time.", began));
    }
    values
}

fn file(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    word_behind(status, name).map(|kilobytes| kilobytes * 1024.0)
}

fn word_behind(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
