//! The smallest use: one node, in memory, in ten lines.
//!
//! Look for: the value comes back, with the revision at which it was written.

use kvorum::Node;

fn main() -> kvorum::Result<()> {
    let node = Node::builder().start()?;
    let store = node.client();
    store.put("greeting", "hello").wait()?;
    let greeting = store.get("greeting").wait()?.expect("it was just written");
    println!("{} at revision {}", String::from_utf8_lossy(&greeting.value), greeting.mod_revision);
    Ok(())
}
