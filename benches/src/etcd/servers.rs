//! A cluster of three server processes on this machine: etcd, or kvorumd with the same flags.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::process::{Memory, cpu_of, memory_of};

/// How long a cluster may take until it takes writes.
const READY: Duration = Duration::from_secs(60);

/// Three processes, and what they were started with. They end with it.
pub(crate) struct Servers {
    pub(crate) name: &'static str,
    processes: Vec<Child>,
    pub(crate) endpoints: Vec<String>,
    dir: PathBuf,
}

impl Servers {
    /// Starts three, each with a directory of its own, and waits until a write comes through.
    pub(crate) async fn start(name: &'static str, program: &Path, dir: &Path) -> Result<Servers, String> {
        let dir = dir.join(name);
        _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let ports = free_ports(6);
        let url = |port: &u16| format!("http://127.0.0.1:{port}");
        let (clients, peers) = ports.split_at(3);
        let all: Vec<String> = peers.iter().enumerate().map(|(i, p)| format!("m{i}={}", url(p))).collect();
        let mut servers =
            Servers { name, processes: Vec::new(), endpoints: clients.iter().map(url).collect(), dir };
        for i in 0..3 {
            let (client, peer) = (url(&clients[i]), url(&peers[i]));
            let log = File::create(servers.dir.join(format!("m{i}.log"))).map_err(|e| e.to_string())?;
            let mut command = Command::new(program);
            command.args(["--name", &format!("m{i}")]);
            command.arg("--data-dir").arg(servers.dir.join(format!("m{i}")));
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &all.join(","), "--initial-cluster-state", "new"]);
            command.args(["--initial-cluster-token", "bench", "--quota-backend-bytes", "8589934592"]);
            command.args(["--log-level", "warn"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            let child = command.spawn().map_err(|e| format!("{}: {e}", program.display()))?;
            servers.processes.push(child);
        }
        servers.wait_until_ready().await?;
        Ok(servers)
    }

    async fn wait_until_ready(&mut self) -> Result<(), String> {
        let until = Instant::now() + READY;
        loop {
            let mut ready = 0;
            for endpoint in &self.endpoints {
                let Ok(client) = Client::connect(endpoint).await else { continue };
                ready += usize::from(client.put("ready".into(), "yes".into()).await.is_ok());
            }
            if ready == self.endpoints.len() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!(
                    "{} is not ready after {READY:?}: see {}",
                    self.name,
                    self.dir.display()
                ));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// CPU time that the three have used so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.processes.iter().map(|child| cpu_of(child.id())).sum()
    }

    /// Memory of all three.
    pub(crate) fn memory(&self) -> Memory {
        self.processes.iter().map(|child| memory_of(child.id())).sum()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.processes {
            _ = child.kill();
            _ = child.wait();
        }
        _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let bind = |_| std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let listeners: Vec<_> = (0..count).map(bind).collect();
    listeners.iter().map(|l| l.local_addr().expect("it listens").port()).collect()
}
