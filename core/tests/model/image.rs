//! Images in the middle of everything.

use std::collections::BTreeSet;

use bytes::Bytes;
use kvorum_core::state::{ImageCut, ImageLoader, LeaseChange, State};
use kvorum_core::storage::{ImageMeta, LogPosition};

use super::replica::{CLUSTER, Replica};
use super::run::{Run, catch_up};
use super::same::equal;
use super::step::Use;
use super::{Model, verify};

/// An image that is being taken.
pub struct Image {
    cut: ImageCut,
    /// What was read of it so far, between other things.
    chunks: Vec<Bytes>,
    /// The store as it was then.
    model: Model,
    /// The entries since.
    pub since: Vec<(LogPosition, Bytes)>,
}

impl Run {
    pub fn cut(&mut self) {
        if self.image.is_none() {
            let cut = self.replicas[0].state.cut_image();
            self.image =
                Some(Image { cut, chunks: Vec::new(), model: self.model.clone(), since: Vec::new() });
        }
    }

    /// Reads a chunk of the image that was begun, if there is one.
    pub fn chunk(&mut self) {
        if let Some(image) = &mut self.image {
            image.chunks.extend(image.cut.next_chunk(&self.replicas[0].state));
        }
    }

    /// Reads the image that was begun (however much happened since), loads and uses it.
    pub fn load(&mut self, how: Use) -> Result<(), String> {
        self.cut();
        let Image { mut cut, chunks, model, since } = self.image.take().expect("just cut");
        if matches!(how, Use::Drop) {
            self.replicas[0].state.release_cut(cut);
            return Ok(());
        }
        let mut loaded = read_back(&mut cut, chunks, &self.replicas[0].state)?;
        self.replicas[0].state.release_cut(cut);
        verify::summary(&loaded, &model).map_err(|e| format!("loaded image: {e}"))?;
        verify::history(&loaded, &model).map_err(|e| format!("loaded image: {e}"))?;
        let flags = since.len() as u8;
        verify::watches(&mut loaded, &model, (2, 1000), flags).map_err(|e| format!("loaded image: {e}"))?;
        match how {
            Use::Restart => self.restart(loaded, &since),
            Use::InstallOverItself if since.is_empty() => {
                let mut other = self.replicas[0].state.cut_image();
                self.replicas[0].install(loaded);
                // An image of what was there before must not go on with what is there now.
                let next = other.next_chunk(&self.replicas[0].state);
                equal("a torn image", (next, other.complete()), (None, false))?;
                self.replicas[0].state.release_cut(other);
                self.replicas[0].state.take_lease_changes();
                Ok(())
            }
            _ => self.install_behind(loaded),
        }
    }

    /// The image and the entries behind it make what was there before. No watch survives.
    fn restart(&mut self, mut state: State, since: &[(LogPosition, Bytes)]) -> Result<(), String> {
        for (at, data) in since {
            catch_up(&mut state, *at, data, &self.first_said)?;
        }
        state.take_lease_changes();
        self.replicas[0] = Replica { state, ..Replica::new() };
        Ok(())
    }

    /// The second replica jumps to the image, unless it is there already; its watches stay.
    fn install_behind(&mut self, loaded: State) -> Result<(), String> {
        let replica = &mut self.replicas[1];
        let position = loaded.applied();
        if position.index <= replica.state.applied().index {
            return Ok(());
        }
        let hash = loaded.hash();
        replica.state.take_lease_changes();
        let ids = |state: &State| state.leases().map(|lease| lease.id).collect::<BTreeSet<_>>();
        let (before, after) = (ids(&replica.state), ids(&loaded));
        replica.install(loaded);
        let changes = replica.state.take_lease_changes();
        equal("changes of leases by an install", ids_of(&changes), (&before ^ &after).into_iter().collect())?;
        replica.behind.retain(|(at, _)| at.index > position.index);
        equal("hash after an install", replica.state.hash(), hash)
    }
}

fn read_back(cut: &mut ImageCut, mut chunks: Vec<Bytes>, state: &State) -> Result<State, String> {
    let mut loader = ImageLoader::new(CLUSTER);
    chunks.extend(std::iter::from_fn(|| cut.next_chunk(state)));
    for chunk in chunks {
        equal("an empty or too large chunk", chunk.is_empty() || chunk.len() > 1 << 20, false)?;
        loader.feed(&chunk).map_err(|e| format!("{e:?}"))?;
    }
    equal("complete", cut.complete(), true)?;
    let (position, hash) = (cut.position(), cut.hash());
    let meta = ImageMeta { position, voters: vec![1], learners: Vec::new(), hash };
    let loaded = loader.finish(&meta).map_err(|e| format!("image: {e:?}"))?;
    equal("position of an image", loaded.applied(), position)?;
    equal("hash of an image", loaded.hash(), hash)?;
    Ok(loaded)
}

/// The leases that changed, each named once, in order.
fn ids_of(changes: &[LeaseChange]) -> Vec<i64> {
    let mut ids: Vec<i64> = changes.iter().map(super::run::id_of).collect();
    ids.sort_unstable();
    ids
}
