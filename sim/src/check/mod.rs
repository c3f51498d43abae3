//! What must hold inside a cluster, each promise in a file of its own.
