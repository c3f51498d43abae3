//! What a panic said, for whoever runs what may panic.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// The words of the last panic on this thread, while somebody listens.
    static HEARD: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

/// Runs something whose panics are not printed but answered, in words.
pub(crate) fn listening(run: impl FnOnce() -> std::thread::Result<()>) -> Result<(), String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_heard = HEARD.with_borrow_mut(|heard| match heard {
                Some(words) => {
                    words.get_or_insert_with(|| panic.to_string());
                    true
                }
                None => false,
            });
            if !is_heard {
                usual(panic);
            }
        }));
    });
    HEARD.set(Some(None));
    let result = run();
    let words = HEARD.take().flatten();
    result.map_err(|panic| {
        // Somebody may have put a hook of their own in the place of the one that listens.
        words.or_else(|| words_of(&*panic)).unwrap_or_else(|| WORDLESS.into())
    })
}

/// What is said of a panic whose payload is no text.
pub(crate) const WORDLESS: &str = "a panic without words";

/// The words with which somebody panicked.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> Option<String> {
    let plain = panic.downcast_ref::<&str>().map(|words| (*words).to_string());
    plain.or_else(|| panic.downcast_ref::<String>().cloned())
}
