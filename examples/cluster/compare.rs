//! Whether what is stored is what was loaded.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::files::File;
use crate::load::{Fate, Load};
use crate::mirror::Mirror;
use crate::nodes::{NODES, Nodes, Result, unexpected};
use crate::wire::{Pair, Reply, Request};
use crate::{PROBE, millis};

/// Pairs read at once: even the largest ones fit into one answer then.
const PAGE: u64 = 32;

/// What is told at the end.
pub(crate) struct Table {
    /// From the first put to the last acknowledgement.
    pub took: Duration,
    /// The same, and how many files, up to the kill.
    pub at_half: (Duration, usize),
    pub failover: Duration,
    pub catch_up: Duration,
    /// The last revision.
    pub last: u64,
}

/// Checks that every write acknowledged so far is there, with its content and revision.
pub(crate) fn acknowledged(nodes: &Nodes, load: &Load<'_>) -> Result<()> {
    for (file, fate) in load.fates() {
        let Fate::Stored { revision, tries } = *fate else { continue };
        let found = match nodes.call(load.node(), &Request::Get { key: file.key.clone() })?.0 {
            Reply::Get(found) => found,
            other => return Err(unexpected(load.node(), "a key", &other)),
        };
        let name = file.path.display();
        let found = found.ok_or_else(|| format!("LOST: {name}, acknowledged at revision {revision}"))?;
        if found.value != file.content {
            return Err(format!("WRONG CONTENT: {name}, acknowledged at revision {revision}"));
        }
        // What was tried more than once may have been written more than once.
        if found.mod_revision < revision || (tries == 1 && found.mod_revision != revision) {
            let other = found.mod_revision;
            return Err(format!("{name} was acknowledged at revision {revision}, but is at {other}"));
        }
    }
    Ok(())
}

/// Everything that a node holds, at one revision.
fn read_back(nodes: &Nodes, id: u64, at: u64) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let (mut all, mut start) = (BTreeMap::new(), Vec::new());
    loop {
        let (pairs, more) = match nodes.call(id, &Request::Range { start, limit: PAGE, revision: at })?.0 {
            Reply::Range { more, pairs, .. } => (pairs, more),
            other => return Err(unexpected(id, "its keys", &other)),
        };
        start = pairs.last().map(|pair| pair.key.clone()).unwrap_or_default();
        start.push(0);
        all.extend(pairs.into_iter().map(|Pair { key, value, .. }| (key, value)));
        if !more {
            return Ok(all);
        }
    }
}

/// How what was found under the files' names differs from the files.
fn differences(files: &[&File], mut found: BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    found.remove(PROBE);
    let mut all = Vec::new();
    for file in files {
        match found.remove(&file.key) {
            Some(value) if value == file.content => {}
            Some(_) => all.push(format!("{} has another content", file.path.display())),
            None => all.push(format!("{} is missing", file.path.display())),
        }
    }
    all.extend(found.into_keys().map(|key| format!("{} was never put", key.escape_ascii())));
    all
}

impl Table {
    /// Reads everything back, prints the table, and answers whether everything is equal.
    pub(crate) fn print(&self, nodes: &Nodes, load: &Load<'_>, mirror: &Mirror) -> Result<()> {
        let mut wrong = Vec::new();
        let mut files = Vec::new();
        for (file, fate) in load.fates() {
            match fate {
                Fate::Stored { .. } => files.push(file),
                Fate::Refused { reason } => println!("left out: {}: {reason}", file.path.display()),
            }
        }
        for id in NODES {
            let differences = differences(&files, read_back(nodes, id, self.last)?);
            wrong.extend(differences.into_iter().map(|one| format!("on node {id}, {one}")));
        }
        let (pairs, events, resumed) = mirror.look(|seen| (seen.pairs.clone(), seen.events, seen.resumed));
        let differences = differences(&files, pairs);
        wrong.extend(differences.into_iter().map(|one| format!("in the mirror, {one}")));
        // Revision 1 is the empty store.
        if events != self.last - 1 {
            wrong.push(format!("there are {} revisions, but {events} events were seen", self.last - 1));
        }
        let hashes = nodes.settled()?;
        if hashes.iter().any(|hash| *hash != hashes[0]) {
            wrong.push("the nodes' state hashes differ".into());
        }
        self.print_rows(load, &files, events, resumed, &hashes);
        let edited = files.iter().filter(|file| file.was_edited());
        edited.for_each(|file| println!("(changed on disk since it was read: {})", file.path.display()));
        if wrong.is_empty() {
            println!("\neverything is equal: files, three nodes, mirror");
            return Ok(());
        }
        let more =
            if wrong.len() > 10 { format!(" ... and {} more", wrong.len() - 10) } else { String::new() };
        Err(format!("not equal: {}{more}", wrong[..wrong.len().min(10)].join("; ")))
    }

    fn print_rows(&self, load: &Load<'_>, files: &[&File], events: u64, resumed: u64, hashes: &[String]) {
        let bytes: usize = files.iter().map(|file| file.content.len()).sum();
        let (until_half, half) = self.at_half;
        let per_second = half as f64 / until_half.as_secs_f64().max(1e-9);
        println!();
        println!("files            {}", files.len());
        println!("bytes            {bytes}");
        println!("puts/s           {per_second:.0} (up to the kill)");
        println!("load took        {:.0} ms, the kill included", millis(self.took));
        println!("puts repeated    {}", load.retried.load(std::sync::atomic::Ordering::Relaxed));
        println!("failover         {:.0} ms", millis(self.failover));
        println!("catch-up         {:.0} ms", millis(self.catch_up));
        println!("events seen      {events} of {} (watch resumed: {resumed})", self.last - 1);
        for (id, hash) in NODES.into_iter().zip(hashes) {
            println!("state of node {id}  {}", &hash[..32.min(hash.len())]);
        }
    }
}
