//! The black-box tests of mindcache: one binary, and everything in it goes through the built program.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod backup;
mod batch;
mod bench;
mod browse;
mod cli;
mod cli_config;
mod cli_edit;
mod cli_exit;
mod cli_help;
mod cli_past;
mod cli_watch;
mod clients;
mod crash;
mod damage;
mod disk_full;
mod doctor;
mod eras;
mod fair;
mod files;
mod gate;
mod harness;
mod history;
mod hostile;
mod http;
mod http_cors;
mod http_hostile;
mod http_requests;
mod http_stop;
mod idempotency;
mod install;
mod instances;
mod instances_copies;
mod instances_state;
mod key_tools;
mod keys_attributes;
mod keys_edit;
mod keys_list;
mod keys_read;
mod keys_values;
mod keys_wait;
mod keys_write;
mod kill;
mod large;
mod lifecycle;
mod limits;
mod linear;
mod log_read;
mod modes;
mod openapi;
mod operations;
mod packaging;
mod page;
mod port;
mod power;
mod processes;
mod prompts;
mod purge;
mod push;
mod resources;
mod rest_export;
mod rest_seed;
mod search;
mod sql;
mod sync;
mod templates;
mod tidy;
mod tools;
mod tour;
mod trace;
mod undo;
mod upkeep;
mod use_cases;
mod values;
