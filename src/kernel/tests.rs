//! The kernel over a real store with a clock of the test.
