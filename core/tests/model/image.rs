//! Images in the middle of everything.

use bytes::Bytes;
use kvorum_core::state::{ImageCut, ImageLoader, State};
use kvorum_core::storage::{ImageMeta, LogPosition};

use super::replica::{CLUSTER, Replica};
use super::run::{Run, catch_up};
use super::same::equal;
use super::step::Use;
use super::{Model, verify};

/// An image that is being taken.
pub struct Image {
    cut: ImageCut,
    /// The store as it was then.
    model: Model,
    /// The entries since.
    pub since: Vec<(LogPosition, Bytes)>,
}

impl Run {
    pub fn cut(&mut self) {
        if self.image.is_none() {
            let cut = self.replicas[0].state.cut_image();
            self.image = Some(Image { cut, model: self.model.clone(), since: Vec::new() });
        }
    }

    /// Reads the image that was begun (however much happened since), loads and uses it.
    pub fn load(&mut self, how: Use) -> Result<(), String> {
        self.cut();
        let Image { mut cut, model, since } = self.image.take().expect("just cut");
        if matches!(how, Use::Drop) {
            self.replicas[0].state.release_cut(cut);
            return Ok(());
        }
        let mut loaded = read_back(&mut cut, &self.replicas[0].state)?;
        self.replicas[0].state.release_cut(cut);
        verify::summary(&loaded, &model).map_err(|e| format!("loaded image: {e}"))?;
        verify::history(&loaded, &model).map_err(|e| format!("loaded image: {e}"))?;
        let flags = since.len() as u8;
        verify::watches(&mut loaded, &model, (2, 1000), flags).map_err(|e| format!("loaded image: {e}"))?;
        match how {
            Use::Restart => self.restart(loaded, &since),
            Use::InstallOverItself if since.is_empty() => {
                self.replicas[0].state.install(loaded);
                self.replicas[0].collect_woken();
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
        replica.state.install(loaded);
        replica.behind.retain(|(at, _)| at.index > position.index);
        replica.collect_woken();
        replica.state.take_lease_changes();
        equal("hash after an install", replica.state.hash(), hash)
    }
}

fn read_back(cut: &mut ImageCut, state: &State) -> Result<State, String> {
    let mut loader = ImageLoader::new(CLUSTER);
    while let Some(chunk) = cut.next_chunk(state) {
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
