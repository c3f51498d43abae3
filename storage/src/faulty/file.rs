//! A file as the process sees it and as the disk has it.

use std::sync::Arc;

use super::random::Random;

pub(super) const SECTOR: usize = 512;

/// Which of the sectors that were not synced a loss of power leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// None.
    Nothing,
    /// All of them.
    Everything,
    /// The first few, as they were written.
    Prefix,
    /// Any subset; those that are lost read as zeros or lie behind the end of the file.
    Subset,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// The page cache.
    pub(super) live: Vec<u8>,
    /// What the disk has for sure.
    pub(super) durable: Vec<u8>,
    /// Sectors that will be written by the next sync, ascending.
    pub(super) dirty: Vec<u64>,
    /// A sync of it has failed.
    pub(super) distrusted: bool,
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: u64) {
    let start = sector as usize * SECTOR;
    let end = (start + SECTOR).min(from.len()).min(to.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

impl Inode {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let first = (self.live.len() / SECTOR) as u64;
        self.live.extend_from_slice(bytes);
        let last = ((self.live.len() - 1) / SECTOR) as u64;
        let from = self.dirty.last().map_or(first, |known| first.max(known + 1));
        self.dirty.extend(from..=last);
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in self.dirty.drain(..) {
            copy_sector(&self.live, &mut self.durable, sector);
        }
    }

    /// The pages are marked clean although the disk does not have them: the next sync will say that all is
    /// well.
    pub(super) fn fail_sync(&mut self) {
        self.dirty.clear();
        self.distrusted = true;
    }

    pub(super) fn lose_power(this: &mut Arc<Inode>, survivors: Survivors, random: &mut Random) {
        let kept: Vec<u64> = match survivors {
            Survivors::Nothing => Vec::new(),
            Survivors::Everything => this.dirty.clone(),
            Survivors::Prefix => {
                let count = random.below(this.dirty.len() as u64 + 1) as usize;
                this.dirty[..count].to_vec()
            }
            Survivors::Subset => this.dirty.iter().copied().filter(|_| random.coin()).collect(),
        };
        // Drawn even if there is nothing to lose: what a seed means does not depend on what is synced.
        let size = this.size_after(survivors, &kept, random);
        if this.is_clean() {
            return;
        }
        let old = Arc::make_mut(this);
        let mut disk = std::mem::take(&mut old.durable);
        disk.resize(size, 0);
        kept.iter().for_each(|sector| copy_sector(&old.live, &mut disk, *sector));
        *old = Inode { live: disk.clone(), durable: disk, ..Inode::default() };
    }

    /// The disk has all of it: a loss of power changes nothing. (Only a failed sync makes the two differ
    /// without anything left to write.)
    fn is_clean(&self) -> bool {
        self.dirty.is_empty() && !self.distrusted && self.live.len() == self.durable.len()
    }

    /// The length is written on its own: it may be that of the last kept sector, or any longer one.
    fn size_after(&self, survivors: Survivors, kept: &[u64], random: &mut Random) -> usize {
        let (least, most) = (self.durable.len(), self.live.len());
        let through = kept.last().map_or(least, |s| ((*s as usize + 1) * SECTOR).min(most)).max(least);
        match survivors {
            Survivors::Nothing => least,
            Survivors::Everything => most,
            Survivors::Prefix | Survivors::Subset => match random.below(3) {
                0 => through,
                1 => most,
                _ => least + random.below((most - least) as u64 + 1) as usize,
            },
        }
    }
}
