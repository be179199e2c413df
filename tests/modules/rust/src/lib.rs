//! Nothing of its own: the filters are the examples.
