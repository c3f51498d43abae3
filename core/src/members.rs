//! What the members of a cluster say of themselves, so that any of them can tell a client where all are.

use crate::client::Client;
use crate::command::{MemberAttributes, Op};
use crate::reply::Answer;

impl Client {
    /// Says to all members what this one is called and where clients reach it, in place of what it said before.
    /// It is written to the log, so that members that are down now learn it, too. Nothing of it is looked at: an empty
    /// name is one. (`kvorumd` and the gateway do this at their start.)
    ///
    /// # Errors
    ///
    /// See [`Client`]; [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) for more than 64 KiB, whatever the limits on
    /// requests are.
    ///
    /// ```
    /// # fn publish(client: &kvorum_core::Client) -> Result<(), kvorum_core::Error> {
    /// client.publish("node-1", ["http://10.0.0.1:2379"]).wait()?;
    /// assert!(client.published_local().iter().any(|member| member.name == "node-1"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish<U: Into<String>>(
        &self,
        name: impl Into<String>,
        client_urls: impl IntoIterator<Item = U>,
    ) -> Answer<()> {
        let client_urls = client_urls.into_iter().map(Into::into).collect();
        let said = MemberAttributes { node: self.shared.config.node, name: name.into(), client_urls };
        self.done(Op::MemberAttributes(said))
    }

    /// What each member last said of itself ([`Client::publish`]), by node, as far as this node has heard. Whoever
    /// has said nothing yet is not there.
    pub fn published_local(&self) -> Vec<MemberAttributes> {
        self.shared.state.read().member_attributes().cloned().collect()
    }
}
