//! A real etcd, where there is one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use crate::ports::free_port;

const VERSION: &str = "etcd Version: 3.5.30";

/// Runs until it is dropped.
#[allow(dead_code)]
pub(crate) struct Etcd {
    pub(crate) channel: Channel,
    pub(crate) address: SocketAddr,
    process: Child,
    data: PathBuf,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

impl Etcd {
    /// Whether it has ended by itself, or does so in a moment.
    #[allow(dead_code)]
    pub(crate) async fn has_died(&mut self) -> bool {
        for _ in 0..40 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

/// Starts one with nothing in it; or says why there is none.
pub(crate) async fn start() -> Result<Etcd, String> {
    let binary = find()?;
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let [client, peer] = [address.port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let data = std::env::temp_dir().join(format!("kvorum-odd-{}-{}", std::process::id(), address.port()));
    let process = Command::new(&binary)
        .args(["--name", "m", "--log-level", "fatal", "--unsafe-no-fsync", "--data-dir"])
        .arg(&data)
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("m={peer}")])
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{} does not start: {error}", binary.display()))?;
    let channel = Endpoint::from_shared(client).unwrap().connect_lazy();
    let etcd = Etcd { channel, address, process, data };
    for _ in 0..200 {
        let mut kv = crate::common::KvClient::new(etcd.channel.clone());
        if kv.range(crate::common::get("ready?")).await.is_ok() {
            return Ok(etcd);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("{} does not answer", binary.display()))
}

#[allow(dead_code)]
pub(crate) fn find() -> Result<PathBuf, String> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    let fetched = cache.map(|cache| cache.join("kvorum-tools/etcd-sid/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let given = std::env::var_os("KVORUM_ETCD").map(PathBuf::from);
    let folders = given.into_iter().chain(fetched).chain(std::env::split_paths(&path));
    let binary = folders.map(|folder| folder.join("etcd")).find(|binary| binary.is_file());
    let binary = binary.ok_or("there is no etcd (set KVORUM_ETCD to the folder that it is in)")?;
    let version = Command::new(&binary).arg("--version").output().map_err(|error| error.to_string())?;
    let version = String::from_utf8_lossy(&version.stdout).lines().next().unwrap_or_default().to_string();
    if version != VERSION {
        return Err(format!("{} is {version:?}, not {VERSION:?}", binary.display()));
    }
    Ok(binary)
}
