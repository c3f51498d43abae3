//! A server as a process, with its log read as it comes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use crate::ports::free_port;

/// How long anything may take. What is waited for comes in a second or two; a busy machine may need more.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const READY: &str = "ready to serve client requests";

/// A directory that is gone at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("kvorumd-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The flags of a member that is alone, on free ports.
pub(crate) fn alone(scratch: &Scratch) -> Vec<String> {
    member("alone", &[("alone", free_port())], free_port(), &scratch.path().join("alone"))
}

/// The flags of the member `name` of these, with its client port.
pub(crate) fn member(name: &str, peers: &[(&str, u16)], client: u16, data_dir: &Path) -> Vec<String> {
    let (_, peer) = peers.iter().find(|(known, _)| *known == name).unwrap();
    let list: Vec<String> =
        peers.iter().map(|(name, port)| format!("{name}=http://127.0.0.1:{port}")).collect();
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    vec![
        format!("--name={name}"),
        format!("--data-dir={}", data_dir.display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={}", list.join(",")),
    ]
}

/// Where the server with these flags serves clients.
pub(crate) fn client_url<S: AsRef<str>>(flags: &[S]) -> String {
    let mut flags = flags.iter().map(AsRef::as_ref);
    flags.find_map(|flag| flag.strip_prefix("--listen-client-urls=")).unwrap().to_string()
}

/// A command that starts the server with nothing of this process's environment that it would read.
pub(crate) fn command<S: AsRef<str>>(flags: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvorumd"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("ETCD_") || name == "NOTIFY_SOCKET" {
            command.env_remove(name);
        }
    }
    command.args(flags.iter().map(AsRef::as_ref)).stdin(Stdio::null());
    command
}

/// The same where no file may grow over so many blocks of 512 bytes, as if the disk were full then.
pub(crate) fn cramped<S: AsRef<str>>(flags: &[S], blocks: u32) -> Command {
    let inner = command(flags);
    let mut outer = Command::new("sh");
    // Ignored, the signal leaves an error to the one who writes.
    outer.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    outer.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
    for (name, _) in inner.get_envs() {
        outer.env_remove(name);
    }
    outer
}

/// Runs a command that ends by itself.
pub(crate) fn run<S: AsRef<str>>(flags: &[S]) -> Output {
    let mut server = Server::of(&mut command(flags));
    let status = server.wait();
    let log: Vec<String> = server.log.drain(..).chain(server.lines.iter()).collect();
    Output { status, stdout: Vec::new(), stderr: log.join("\n").into_bytes() }
}

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    /// How much of the log has been waited through.
    read: usize,
}

impl Server {
    pub(crate) fn start<S: AsRef<str>>(flags: &[S]) -> Server {
        Server::of(&mut command(flags))
    }

    pub(crate) fn of(command: &mut Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Server { child, lines, log: Vec::new(), read: 0 }
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn ready<S: AsRef<str>>(flags: &[S]) -> Server {
        let mut server = Server::start(flags);
        server.until(READY);
        server
    }

    /// Waits for the next line with this in it, behind those that were waited for before.
    pub(crate) fn until(&mut self, part: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.log[self.read..].iter().position(|line| line.contains(part)) {
                self.read += at + 1;
                return self.log[self.read - 1].clone();
            }
            self.read = self.log.len();
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("no {part:?} in time:\n{}", self.log.join("\n")),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server ended without {part:?}:\n{}", self.log.join("\n"))
                }
            }
        }
    }

    /// Waits for a line with this in it, wherever in the log it is.
    pub(crate) fn ever(&mut self, part: &str) -> String {
        let read = std::mem::take(&mut self.read);
        let line = self.until(part);
        self.read = self.read.max(read);
        line
    }

    /// Whether a line with this in it has come already.
    pub(crate) fn has_said(&mut self, part: &str) -> bool {
        self.log.extend(self.lines.try_iter());
        self.log.iter().any(|line| line.contains(part))
    }

    /// Its process's.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        // The log ends when the process does.
        let end = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.log.join("\n")),
            }
        }
    }

    /// Ends it as a loss of power would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    /// Asks it to end, and sees that it ends well.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}:\n{}", self.log.join("\n"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text of a field in a line of the log.
pub(crate) fn field(line: &str, key: &str) -> String {
    let start = format!("\"{key}\":\"");
    let (_, rest) = line.split_once(&start).unwrap_or_else(|| panic!("no {key} in {line}"));
    rest.split('"').next().unwrap().to_string()
}
