//! What goes through all that is stored: a thread does it, and not many at once. Each holds the lock of the state for
//! short whiles only; but a node that waits for hundreds of them waits for all those that the system has put to sleep
//! meanwhile. What it will never know: what is looked for.

use std::sync::Arc;

use kvorum_core::planted;
use tokio::sync::Semaphore;
use tonic::Status;

/// How many walk at the same time; the others wait.
const WALKERS: usize = 2;

/// Places for those that walk.
#[derive(Debug)]
pub(crate) struct Walkers(Arc<Semaphore>);

impl Default for Walkers {
    fn default() -> Walkers {
        Walkers(Arc::new(Semaphore::new(if planted!("everybody_walks_at_once") { 1000 } else { WALKERS })))
    }
}

impl Walkers {
    /// Walks, which may take seconds.
    pub(crate) async fn walk<T: Send + 'static>(
        &self,
        walk: impl FnOnce() -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let place = self.0.clone().acquire_owned().await;
        let place = place.map_err(|_| Status::internal("the server is gone"))?;
        let walked = tokio::task::spawn_blocking(move || {
            // Given up by whoever asked, it is walking all the same: its place is free when it is done.
            let _place = place;
            walk()
        });
        walked
            .await
            .map_err(|_| Status::internal("what goes through all that is stored did not come to its end"))?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_walk_at_once_than_there_are_places() {
        let walkers = Arc::new(Walkers::default());
        let [now, most] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let mut walks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (walkers, now, most) = (walkers.clone(), now.clone(), most.clone());
            walks.spawn(async move {
                let walk = move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // Whoever could walk beside it comes to it here.
                    (0..1000).for_each(|_| std::thread::yield_now());
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                walkers.walk(walk).await
            });
        }
        while let Some(walk) = walks.join_next().await {
            walk.unwrap().unwrap();
        }
        let most = most.load(Ordering::SeqCst);
        assert!(most <= WALKERS, "{most} walked at once");
    }
}
