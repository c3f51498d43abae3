//! What must happen sometimes, or it was not rehearsed.

use crate::scene::Scene;
use crate::world::World;

/// What must have happened at least once in a thousand seeds: names of counts in [`crate::Run::counts`].
pub const SOMETIMES: &[&str] = &[];

/// Counts what the world knows of a run that is over.
pub(crate) fn count(world: &World, scene: &Scene) {
    scene.add("revisions", world.judge().newest() as u64);
    scene.add("leaders", world.judge().leaders().len() as u64);
    scene.add("images taken", world.images_taken());
}
