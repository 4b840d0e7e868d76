//! What a client of `/sync` sends: whatever it is, it is understood or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| mindcache::face::sync::try_frame(text));
