//! What the kernel says of a process: the time it used and the memory it has.

use std::fs::read_to_string;
use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is in the machine's memory now.
    pub(crate) resident: u64,
    /// Of it, what no file stands behind: heap and stacks. It is nobody else's, and goes nowhere without swap.
    pub(crate) anonymous: u64,
    /// Of it, pages of files: the program itself, and what is mapped of the data. The kernel can drop those that are
    /// clean, and reads them again when they are wanted.
    pub(crate) of_files: u64,
    /// The most that was resident at once, since the process began.
    pub(crate) peak: u64,
}

impl Add for Memory {
    type Output = Memory;

    fn add(self, other: Memory) -> Memory {
        Memory {
            resident: self.resident + other.resident,
            anonymous: self.anonymous + other.anonymous,
            of_files: self.of_files + other.of_files,
            peak: self.peak + other.peak,
        }
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Memory>>(all: I) -> Memory {
        all.fold(Memory::default(), Memory::add)
    }
}

pub(crate) fn memory_of(process: u32) -> Memory {
    let status = read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = value.and_then(|v| v.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    };
    Memory {
        resident: field("VmRSS"),
        anonymous: field("RssAnon"),
        of_files: field("RssFile") + field("RssShmem"),
        peak: field("VmHWM"),
    }
}

/// User and system time of all threads, in the kernel's ticks of 10 ms.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let text = read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in brackets may have spaces in it.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
