//! What goes wrong in a run, decided before it begins: a value that can be printed, cut short and thinned
//! out, and then does the rest exactly as before.
