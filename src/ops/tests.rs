//! Laws of the whole registry.
