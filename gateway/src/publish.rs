//! What this member says of itself to the others. What it will never know: who asks for it.

use std::sync::Arc;
use std::time::Duration;

use kvorum_core::{Client, ErrorKind, Result};

use crate::gateway::Gateway;

/// Between two attempts that failed at once.
const BREATH: Duration = Duration::from_millis(100);

/// Tells all members what this one is called and where clients reach it, unless that is what they know: a start with
/// nothing new to say writes nothing. [`serve`](crate::serve) does it with what its options say.
///
/// # Errors
///
/// See [`Client::publish`].
pub async fn publish(client: &Client, name: &str, client_urls: &[String]) -> Result<()> {
    // Only after it has caught up does this node know what was last said in its name.
    client.get([0]).await?;
    let me = client.config().node;
    let known = client.published_local().into_iter().find(|said| said.node == me);
    if known.is_some_and(|said| said.name == name && said.client_urls == client_urls) {
        return Ok(());
    }
    client.publish(name, client_urls).await
}

impl Gateway {
    /// Tells the others of this member, as soon as a majority can be reached.
    pub(crate) async fn publish(self: Arc<Gateway>) {
        let me = self.me();
        let told = async {
            while let Err(error) = publish(&self.client, &me.name, &me.client_urls).await {
                if matches!(error.kind(), ErrorKind::TooLarge { .. }) {
                    // It will be no shorter: the options' list is then all that clients are told.
                    return;
                }
                tokio::time::sleep(BREATH).await;
            }
        };
        // A node that has halted never will; neither does it serve.
        self.stopping.run_until_cancelled(told).await;
    }
}
