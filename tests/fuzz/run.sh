#!/usr/bin/env bash
# Fuzzes the frames of /sync for so many seconds (60), from the lines of the corpus. What it finds becomes a line there.
set -euo pipefail
cd "$(dirname "$0")/../.."
corpus=target/fuzz/frames
mkdir -p "$corpus"
split --lines=1 --additional-suffix=.seed tests/it/sync/corpus.txt "$corpus/line-"
# No sanitizer: the decoder is safe Rust, and all of the crate is built anew for it.
CARGO_TARGET_DIR=target/fuzz cargo +nightly fuzz run --fuzz-dir tests/fuzz --sanitizer none --dev frames "$corpus" -- -max_total_time="${1:-60}" -max_len=4096
