//! How much memory a server takes, measured in a process in which nothing else happens.

/// Whether this test has its process for itself. If not, it is run again in one of its own and must pass there: what
/// other tests allocate meanwhile would count.
pub(crate) fn is_alone() -> bool {
    const ALONE: &str = "KVORUM_TEST_ALONE";
    let thread = std::thread::current();
    // Tests have threads that are named after them, unless they run one after the other.
    let name = thread.name().unwrap_or("main");
    if name == "main" || std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", name, "--nocapture"];
    let output = std::process::Command::new(program).args(arguments).env(ALONE, "1").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{name}, alone:\n{said}");
    false
}

/// Resident bytes of this process; 0 where nobody knows.
pub(crate) fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}
