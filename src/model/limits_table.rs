//! The table of limits in `docs/limits.md`: each constant of `limits.rs` with what happens beyond it and the test that
//! shows it. `UPDATE_EXPECT=1 cargo test` writes the table anew.

use super::limits as l;

/// A limit: the name of its constant, its number, what is limited, what happens beyond it, and its test.
struct Row(&'static str, u64, &'static str, &'static str, &'static str);

/// A constant that nobody meets from outside, and what it is instead of a limit.
struct Internal(&'static str, &'static str);

const INVALID: &str = "`invalid_argument`";
const TOO_LARGE: &str = "`too_large`";
const PARAMS: &str = "JSON-RPC -32602";
const CUT: &str = "a shorter reply, which says where it goes on";

/// The limits, by what they are limits of.
#[rustfmt::skip] // A row is two lines at most, or it is no table any more.
const TABLE: &[(&str, &[Row])] = &[
    ("Keys and values", &[
        Row("KEY_NAME_CHARACTERS", l::KEY_NAME_CHARACTERS as u64, "a key's name", INVALID,
            "tests/it/keys_write.rs names_that_break_the_rule_are_refused"),
        Row("VALUE_BYTES", l::VALUE_BYTES as u64, "a value, decoded", "`too_large`; HTTP 413",
            "tests/it/large.rs the_limit_counts_decoded_bytes"),
        Row("TAGS", l::TAGS as u64, "content tags of a key", INVALID,
            "tests/it/limits/messages.rs tags_notes_queries_and_content_types_have_their_lengths"),
        Row("TAG_CHARACTERS", l::TAG_CHARACTERS as u64, "a content tag", INVALID,
            "tests/it/limits/messages.rs tags_notes_queries_and_content_types_have_their_lengths"),
        Row("CONTENT_TYPE_CHARACTERS", l::CONTENT_TYPE_CHARACTERS as u64, "a content type", INVALID,
            "tests/it/limits/messages.rs tags_notes_queries_and_content_types_have_their_lengths"),
        Row("DESCRIPTION_CHARACTERS", l::DESCRIPTION_CHARACTERS as u64, "a key's description", INVALID,
            "tests/it/limits/messages.rs descriptions_and_notes_have_their_lengths"),
        Row("TTL_MS", l::TTL_MS, "a key's time to live", INVALID,
            "tests/it/limits/messages.rs tags_notes_queries_and_content_types_have_their_lengths"),
        Row("SCHEMA_BYTES", l::SCHEMA_BYTES as u64, "a key's JSON Schema", TOO_LARGE,
            "tests/it/limits/messages.rs a_schema_has_its_size_its_depth_and_its_patterns"),
        Row("SCHEMA_DEPTH", l::SCHEMA_DEPTH as u64, "levels of nesting in it", INVALID,
            "tests/it/limits/messages.rs a_schema_has_its_size_its_depth_and_its_patterns"),
        Row("SCHEMA_PATTERNS", l::SCHEMA_PATTERNS as u64, "patterns in it", INVALID,
            "tests/it/limits/messages.rs a_schema_has_its_size_its_depth_and_its_patterns"),
        Row("PATTERN_BYTES", l::PATTERN_BYTES as u64, "memory that one of them takes", INVALID,
            "src/ops/key_schema.rs a_schema_that_cannot_be_used_is_refused"),
    ]),
    ("Instances", &[
        Row("INSTANCES", l::INSTANCES as u64, "instances of a data folder, with snapshots and deleted ones", INVALID,
            "src/ops/instances/catalog.rs there_is_room_for_ten_thousand_instances"),
        Row("INSTANCE_NAME_CHARACTERS", l::INSTANCE_NAME_CHARACTERS as u64, "an instance's name", INVALID,
            "tests/it/limits/messages.rs descriptions_and_notes_have_their_lengths"),
        Row("NOTE_CHARACTERS", l::NOTE_CHARACTERS as u64, "a snapshot's note", INVALID,
            "tests/it/limits/messages.rs descriptions_and_notes_have_their_lengths"),
        Row("GRACE_MS", l::GRACE_MS as u64, "how long a deleted instance can be brought back", "`not_found`",
            "src/kernel/tests/instances.rs a_deleted_instance_is_gone_after_seven_days_and_not_before"),
        Row("DIFF_NAMES", l::DIFF_NAMES as u64, "names of each kind in a comparison", "cut, with `truncated: true`",
            "src/kernel/tests/instances.rs ten_thousand_keys_are_kept_compared_and_restored_as_one_change"),
    ]),
    ("People and rights", &[
        Row("ACCESS_RECORDS", l::ACCESS_RECORDS as u64, "users, projects, API keys, delegates, secrets, groups, shares: each",
            INVALID, "src/ops/access/mod.rs there_is_room_for_a_hundred_thousand_records_of_a_kind"),
        Row("ACCESS_CHARACTERS", l::ACCESS_CHARACTERS as u64, "a name of one of them", INVALID,
            "tests/it/access/keys.rs keys_groups_and_secrets_have_their_limits"),
        Row("PROJECTS_OF_USER", l::PROJECTS_OF_USER as u64, "projects of one user", INVALID,
            "src/ops/access/quota.rs a_user_has_so_much_of_each_and_is_told_what_to_do"),
        Row("INSTANCES_OF_USER", l::INSTANCES_OF_USER as u64, "instances in all projects of one user, deleted ones too",
            INVALID, "src/ops/access/quota.rs a_user_has_so_much_of_each_and_is_told_what_to_do"),
        Row("KEYS_OF_USER", l::KEYS_OF_USER as u64, "API keys of one user", INVALID,
            "src/ops/access/quota.rs a_user_has_so_much_of_each_and_is_told_what_to_do"),
        Row("DELEGATES_OF_USER", l::DELEGATES_OF_USER as u64, "delegates of one user", INVALID,
            "src/ops/access/quota.rs a_user_has_so_much_of_each_and_is_told_what_to_do"),
        Row("GROUPS_OF_USER", l::GROUPS_OF_USER as u64, "groups of one user", INVALID,
            "src/ops/access/quota.rs a_user_has_so_much_of_each_and_is_told_what_to_do"),
        Row("SHARES_OF_ONE", l::SHARES_OF_ONE as u64, "shares of one project or instance", INVALID,
            "src/ops/access/quota.rs a_user_has_so_much_of_each_and_is_told_what_to_do"),
        Row("SHARES_WITH_ONE", l::SHARES_WITH_ONE as u64, "shares with one user, group, key or delegate", INVALID,
            "src/ops/access/quota.rs a_user_has_so_much_of_each_and_is_told_what_to_do"),
        Row("MEMBERSHIPS_BY_OWNER", l::MEMBERSHIPS_BY_OWNER as u64, "groups of one owner with the same member", INVALID,
            "tests/it/access/limits.rs nobody_fills_up_the_memberships_of_another_alone_and_who_is_in_leaves"),
        Row("ISSUERS", l::ISSUERS as u64, "issuers whose tokens a server takes", "exit 2",
            "tests/it/access/tokens.rs a_server_that_could_not_tell_whose_tokens_are_for_it_does_not_start"),
        Row("JWKS_BYTES", l::JWKS_BYTES as u64, "the set of an issuer's keys", "its tokens are `unavailable`",
            "tests/it/access/tokens_faults.rs an_issuer_that_does_not_give_its_keys_lets_nobody_in"),
        Row("SUBJECT_BYTES", l::SUBJECT_BYTES as u64, "an issuer's name for somebody (`sub`)", "`unauthenticated`",
            "tests/it/access/tokens.rs tokens_that_are_not_for_this_server_now_are_refused"),
        Row("CLOCK_SKEW_S", l::CLOCK_SKEW_S, "seconds by which clocks may differ", "exit 2",
            "tests/it/access/tokens.rs a_server_that_could_not_tell_whose_tokens_are_for_it_does_not_start"),
        Row("SCOPES", l::SCOPES as u64, "scopes of an API key", INVALID,
            "tests/it/access/keys.rs keys_groups_and_secrets_have_their_limits"),
        Row("SECRETS", l::SECRETS as u64, "secrets of a delegate", INVALID,
            "tests/it/access/keys.rs keys_groups_and_secrets_have_their_limits"),
        Row("GROUP_MEMBERS", l::GROUP_MEMBERS as u64, "members of a group", INVALID,
            "src/ops/access/groups.rs a_group_has_a_thousand_members_and_a_member_a_thousand_groups"),
        Row("GROUPS_OF_MEMBER", l::GROUPS_OF_MEMBER as u64, "groups with one and the same member", INVALID,
            "src/ops/access/groups.rs a_group_has_a_thousand_members_and_a_member_a_thousand_groups"),
    ]),
    ("Calls and replies", &[
        Row("PIECE", l::PIECE as u64, "a text (characters) or file (bytes) in one reply",
            "cut, with `truncated` and `next_offset`", "tests/it/keys_read.rs a_text_of_exactly_one_piece_is_not_cut"),
        Row("IMAGE_PIECE", l::IMAGE_PIECE as u64, "an image in one reply",
            "cut, with `truncated` and `next_offset`",
            "tests/it/limits/replies.rs an_image_comes_whole_up_to_4_mebibytes"),
        Row("LISTED_VALUE_BYTES", l::LISTED_VALUE_BYTES as u64, "a value in a list or a history", "left out",
            "tests/it/keys_list.rs values_over_a_kibibyte_are_left_out"),
        Row("PAGE", l::PAGE as u64, "items of a page", INVALID, "tests/it/limits/replies.rs a_page_has_1000_keys"),
        Row("BROWSE_PAGE", l::BROWSE_PAGE, "rows of a page by rank", INVALID,
            "tests/it/browse.rs a_page_by_rank_has_its_bounds"),
        Row("PREVIEW_CHARACTERS", l::PREVIEW_CHARACTERS as u64, "characters of a value in such a row", "cut",
            "tests/it/browse.rs a_row_shows_how_a_value_begins_and_who_wrote_it"),
        Row("FACETS", l::FACETS as u64, "tags, or writers, that `key_facets` counts out", "the rarer ones are left out",
            "tests/it/browse.rs facets_are_the_200_most_frequent"),
        Row("WRITER_CHARACTERS", l::WRITER_CHARACTERS as u64, "a writer to filter by", INVALID,
            "tests/it/browse.rs a_page_by_rank_has_its_bounds"),
        Row("LIST_PAGE", l::LIST_PAGE as u64, "items of a list page unless told", CUT,
            "tests/it/keys_list.rs a_page_holds_100_keys_unless_told_and_names_come_in_byte_order"),
        Row("SHORT_PAGE", l::SHORT_PAGE as u64, "items of a history page unless told", CUT,
            "tests/it/history.rs a_history_page_holds_20_versions_unless_told"),
        Row("CURSOR_CHARACTERS", l::CURSOR_CHARACTERS as u64, "a cursor", INVALID,
            "tests/it/limits/messages.rs cursors_have_as_much_as_the_longest_name_needs"),
        Row("RESOURCES_CURSOR_BYTES", l::RESOURCES_CURSOR_BYTES as u64, "a cursor of `resources/list`", PARAMS,
            "tests/it/limits/messages.rs cursors_have_as_much_as_the_longest_name_needs"),
        Row("QUERY_CHARACTERS", l::QUERY_CHARACTERS as u64, "a query of `op_search`", INVALID,
            "tests/it/limits/messages.rs tags_notes_queries_and_content_types_have_their_lengths"),
        Row("QUESTION_CHARACTERS", l::QUESTION_CHARACTERS as u64, "a question of `search_keys`", INVALID,
            "tests/it/search/mod.rs a_question_and_its_answer_have_their_lengths"),
        Row("SEARCH_PAGE", l::SEARCH_PAGE, "keys that a search answers with", INVALID,
            "tests/it/search/mod.rs a_question_and_its_answer_have_their_lengths"),
        Row("OPERATION_CHARACTERS", l::OPERATION_CHARACTERS as u64, "an operation's name in `op_call`", INVALID,
            "tests/it/limits/messages.rs names_of_operations_and_idempotency_keys_are_short"),
        Row("IDEMPOTENCY_KEY_CHARACTERS", l::IDEMPOTENCY_KEY_CHARACTERS as u64, "an idempotency key", INVALID,
            "tests/it/limits/messages.rs names_of_operations_and_idempotency_keys_are_short"),
        Row("REPLY_BYTES", l::REPLY_BYTES as u64, "an answer that is kept under it", "only the outcome is kept",
            "tests/it/limits/replies.rs of_an_answer_over_64_kibibytes_only_its_outcome_is_kept"),
        Row("BATCH", l::BATCH as u64, "operations of a batch; a batch in a batch is refused", INVALID,
            "tests/it/limits/replies.rs a_batch_has_100_operations"),
        Row("BATCH_REPLY_BYTES", l::BATCH_REPLY_BYTES as u64, "all results of a batch",
            "`too_large`, and nothing is done", "tests/it/limits/messages.rs the_results_of_a_batch_are_4_mebibytes"),
        Row("BATCH_LARGE_BYTES", l::BATCH_LARGE_BYTES, "values over 64 KiB that a batch writes, together",
            "`too_large`, and nothing is done", "tests/it/limits/messages.rs the_large_values_of_a_batch_are_64_mebibytes"),
        Row("UNDO_MS", l::UNDO_MS as u64, "the time for which `undo` takes back its caller's change", "`not_found`",
            "src/kernel/tests/traces.rs what_was_undone_is_remembered_as_long_as_undo_looks_back"),
        Row("UNDO_ROWS", l::UNDO_ROWS, "rows of the log in which `undo` looks for its caller's last change",
            "`not_found`", "tests/it/limits/replies.rs undo_looks_back_2000_rows"),
        Row("PROMPT_CHARACTERS", l::PROMPT_CHARACTERS as u64, "the system prompt", "cut, with `left_out`",
            "src/derive/prompt/tests.rs a_prompt_may_fill_its_budget_to_the_last_character"),
        Row("TEMPLATE_BYTES", l::TEMPLATE_BYTES as u64, "what a template comes to", "cut, and the text says so",
            "src/derive/template/tests.rs a_text_of_exactly_the_limit_is_whole_and_one_byte_more_is_cut"),
        Row("TEMPLATE_DEPTH", l::TEMPLATE_DEPTH as u64, "templates within one another", "the marker stays",
            "src/derive/template/tests.rs templates_go_sixteen_deep"),
        Row("TOOLS", l::TOOLS as u64, "tools of a connection", "the others are not listed, which `list_keys` says",
            "tests/it/key_tools.rs the_list_keeps_its_budget_and_no_value_is_in_it"),
        Row("PROMPTS", l::PROMPTS as u64, "prompts of each tag", "the first by name are offered",
            "tests/it/limits/replies.rs a_hundred_prompts_of_a_tag_are_offered_with_twenty_arguments_each"),
        Row("PROMPT_ARGUMENTS", l::PROMPT_ARGUMENTS as u64, "arguments of a prompt", "the first are asked for",
            "tests/it/limits/replies.rs a_hundred_prompts_of_a_tag_are_offered_with_twenty_arguments_each"),
        Row("PROMPT_ARGUMENT_CHARACTERS", l::PROMPT_ARGUMENT_CHARACTERS as u64, "an argument's name",
            "it is not asked for",
            "tests/it/limits/replies.rs a_hundred_prompts_of_a_tag_are_offered_with_twenty_arguments_each"),
    ]),
    ("Waiting and work under way", &[
        Row("WAIT_MS", l::WAIT_MS, "how long one call waits", INVALID,
            "tests/it/keys_wait.rs a_wait_over_45_seconds_is_refused"),
        Row("WAIT_CHANGES", l::WAIT_CHANGES as u64, "changes that a wait reports", CUT,
            "tests/it/limits/replies.rs a_wait_reports_100_changes_and_goes_on_behind_them"),
        Row("WAITS", l::WAITS as u64, "waits of one process", "`overloaded`",
            "src/kernel/tests/limits.rs a_process_has_512_calls_that_wait_and_a_session_128_of_them"),
        Row("WAITS_OF_SESSION", l::WAITS_OF_SESSION as u64, "waits of one session or stdio connection", "`overloaded`",
            "tests/it/limits/calls.rs of_ten_thousand_waits_of_one_client_as_many_as_there_is_room_for_wait"),
        Row("QUEUE", l::QUEUE as u64, "changes waiting for one instance", "`overloaded`; HTTP 503",
            "src/kernel/tests/limits.rs an_instance_has_4096_changes_waiting"),
        Row("QUEUE_BYTES", l::QUEUE_BYTES as u64, "their arguments", "`overloaded`; HTTP 503",
            "src/kernel/actor.rs a_queue_is_full_by_its_bytes_too"),
        Row("IN_FLIGHT", l::IN_FLIGHT as u64, "requests under way on a stdio connection",
            "it is read on when one is answered",
            "tests/it/limits/calls.rs more_calls_at_once_than_are_under_way_are_all_answered"),
        Row("IN_FLIGHT_BYTES", l::IN_FLIGHT_BYTES as u64, "their messages, but for large ones",
            "it is read on when one is answered",
            "src/face/mcp/stdio/limits_tests.rs requests_under_way_have_room_by_number_and_by_bytes"),
        Row("UNWRITTEN_BYTES", l::UNWRITTEN_BYTES as u64, "what a stdio client has not read",
            "it is read on when the client has",
            "src/face/mcp/stdio/tests.rs nothing_more_is_read_while_too_much_waits_to_be_written"),
        Row("FOLLOWED", l::FOLLOWED as u64, "resources that a session or subscription follows",
            "JSON-RPC -32602; of a subscription the first are acknowledged",
            "tests/it/http_hostile.rs a_session_follows_a_thousand_resources_and_says_so_to_each_more"),
        Row("LISTENS", l::LISTENS as u64, "subscriptions and streams of an HTTP server", "HTTP 429",
            "tests/it/limits/requests.rs streams_of_sessions_are_counted_with_subscriptions"),
        Row("LISTENS_OF_CONNECTION", l::LISTENS_OF_CONNECTION as u64, "subscriptions of a stdio connection",
            "JSON-RPC -32603, `overloaded`",
            "tests/it/limits/calls.rs a_connection_has_sixteen_subscriptions_and_is_told_so"),
        Row("PARTS", l::PARTS as u64,
            "one user has so much of the waits, streams, sessions and WebSockets: one in", "`overloaded`; of sessions their own that was idle longest ends",
            "src/kernel/parts.rs a_user_has_a_quarter_of_the_places_and_is_told_of_what"),
        Row("SESSIONS", l::SESSIONS as u64, "sessions of an HTTP server", "the one idle longest ends",
            "src/face/mcp/http/sessions.rs bug_a_forgotten_session_stayed_alive"),
        Row("REFUSALS_TOLD", l::REFUSALS_TOLD as u64, "refusals of one source in a minute that the log tells of", "counted",
            "src/kernel/audit.rs a_source_is_told_of_so_often_a_minute_and_then_counted"),
        Row("CONNECTIONS", l::CONNECTIONS as u64,
            "connections of an HTTP server; fewer where the system gives few open files", "HTTP 503",
            "src/face/http/connections.rs one_connection_too_many_is_told_so_and_there_is_room_when_another_ends"),
    ]),
    ("WebSockets", &[
        Row("SOCKETS", l::SOCKETS as u64, "WebSockets of an HTTP server", "HTTP 503",
            "src/face/sync/tests.rs a_server_has_as_many_sockets_as_it_has_places"),
        Row("WS_TOKENS", l::WS_TOKENS as u64, "tokens for WebSockets that are out", "`overloaded`; HTTP 503",
            "src/access/ws_tokens.rs only_so_many_tokens_are_out"),
        Row("WS_TOKENS_OF_ONE", l::WS_TOKENS_OF_ONE as u64, "those of one principal", "`overloaded`; HTTP 503",
            "src/access/ws_tokens.rs only_so_many_tokens_are_out"),
        Row("WS_TOKEN_MS", l::WS_TOKEN_MS as u64, "how long a token can be used", "HTTP 401",
            "src/access/ws_tokens.rs a_token_is_for_one_use_within_its_minute"),
        Row("SOCKET_IN_FLIGHT", l::SOCKET_IN_FLIGHT as u64, "messages of one socket under way",
            "it is read on when one is done",
            "tests/it/sync/hostile.rs a_flood_of_messages_is_taken_in_as_fast_as_it_is_done"),
        Row("SOCKET_IN_FLIGHT_BYTES", l::SOCKET_IN_FLIGHT_BYTES as u64, "their bytes",
            "it is read on when one is done",
            "tests/it/sync/hostile.rs large_messages_are_taken_in_one_after_the_other"),
        Row("SUBSCRIBED", l::SUBSCRIBED as u64, "keys, prefixes and tags that a socket is narrowed down to", "`PARSE_ERROR`",
            "tests/it/sync/ours.rs a_subscription_narrows_what_is_told"),
        Row("OP_ID_CHARACTERS", l::OP_ID_CHARACTERS as u64, "an `opId`", "`PARSE_ERROR`",
            "tests/it/sync/hostile.rs a_frame_that_is_no_message_is_answered_and_the_socket_stays"),
        Row("PRESENCE_NOTE_CHARACTERS", l::PRESENCE_NOTE_CHARACTERS as u64, "a connection's note", "`PARSE_ERROR`",
            "tests/it/sync/ours.rs who_is_connected_is_told_to_who_asks"),
    ]),
    ("Messages", &[
        Row("MESSAGE_BYTES", l::MESSAGE_BYTES as u64, "a line or body", "JSON-RPC -32600; HTTP 413; read to its end",
            "src/face/mcp/stdio/tests.rs a_line_at_the_limit_is_read_and_a_longer_one_is_skipped"),
        Row("MESSAGE_DEPTH", l::MESSAGE_DEPTH as u64, "levels of nesting in its parameters",
            "JSON-RPC -32600; HTTP 415", "tests/it/limits/messages.rs a_message_nests_127_levels"),
        Row("LARGE_BYTES", l::LARGE_BYTES as u64, "a message that needs no place among the large ones",
            "it waits for a place",
            "src/face/mcp/http/bodies.rs two_large_bodies_come_in_at_a_time_and_the_third_when_one_is_answered"),
        Row("LARGE_MESSAGES", l::LARGE_MESSAGES as u64, "large messages that a process takes in and answers at a time",
            "they wait for a place", "tests/it/limits/memory.rs writes_sent_at_once_over_stdio_are_held_two_at_a_time"),
        Row("LARGE_MS", l::LARGE_MS, "how long a large body or message may take to arrive", "HTTP 408; WebSocket 4003",
            "src/face/mcp/http/bodies.rs a_large_body_that_does_not_come_gives_its_place_back"),
        Row("LASTING_BYTES", l::LASTING_BYTES as u64, "the message of a wait, and `initialize`",
            "`too_large`; JSON-RPC -32602", "tests/it/limits/calls.rs a_wait_in_a_large_message_is_refused"),
        Row("LISTEN_BYTES", l::LISTEN_BYTES as u64, "the message of a subscription, and all URIs of a session", PARAMS,
            "tests/it/limits/calls.rs a_large_subscription_does_not_keep_others_from_large_writes"),
        Row("URI_BYTES", l::URI_BYTES as u64, "a resource's URI", PARAMS,
            "tests/it/limits/messages.rs a_uri_has_8_kibibytes"),
        Row("URL_BYTES", l::URL_BYTES as u64, "path and query of an HTTP request", "HTTP 414",
            "tests/it/limits/requests.rs a_path_has_8_kibibytes_and_headers_have_64"),
        Row("HEADERS_BYTES", l::HEADERS_BYTES as u64, "its headers", "HTTP 431",
            "tests/it/limits/requests.rs a_path_has_8_kibibytes_and_headers_have_64"),
        Row("HEADERS", l::HEADERS as u64, "headers of an HTTP request", "HTTP 431",
            "tests/it/limits/requests.rs a_request_has_a_hundred_headers"),
        Row("CONFIG_FILE_BYTES", l::CONFIG_FILE_BYTES, "`config.toml` of the data folder", "a refusal, exit code 2",
            "tests/it/cli_config.rs what_is_wrong_in_the_file_is_said_with_its_place"),
    ]),
];

#[rustfmt::skip]
const INTERNAL: &[Internal] = &[
    Internal("INLINE_BYTES", "where a value goes, in its record or a file"),
    Internal("CATCH_UP_ROWS", "beyond that all keys are shown"),
    Internal("PIECE_BYTES", "a piece: another one follows"),
    Internal("OLD_STATE_BYTES", "a piece for older clients: another one follows"),
    Internal("RING_CHANGES", "who is further behind is shown what it missed"),
    Internal("RING_BYTES", "who is further behind is shown what it missed"),
    Internal("RINGS_BYTES", "who is further behind is shown what it missed"),
    Internal("PRESENT", "presence tells of the first"),
    Internal("TOLD_GONE", "a client may be told again that a key is gone"),
    Internal("LOOKED_AT", "a slice: the page is short, and its cursor goes on"),
    Internal("DEFAULT_WAIT_MS", "a default"),
    Internal("PROMPT_KEYS", "more than fit into the prompt"),
    Internal("CATCH_UP_MS", "patience with the index, then the answer says how far it is"),
    Internal("EXPIRE_SLICE", "a slice: the sweep goes on"),
    Internal("PURGE_SLICE", "a slice: the purge goes on"),
    Internal("REPLY_MS", "how long an answer is kept for a repeated call"),
    Internal("UNDO_TURNS", "turns remembered as taken back; the oldest are forgotten"),
    Internal("CODES", "links that are out; the oldest is forgotten"),
    Internal("CODE_MS", "how long a link can be used, then a new one is needed"),
    Internal("SIGN_INS", "browsers remembered; the oldest is signed out"),
    Internal("SIGN_IN_MS", "how long a browser stays signed in, then a new link is needed"),
    Internal("GROUP_COMMANDS", "the size of a commit; the others come with the next"),
    Internal("GROUP_BYTES", "the size of a commit; the others come with the next"),
    Internal("GROUP_MS", "the size of a commit; the others come with the next"),
    Internal("GATE_WAIT_MS", "patience with another process, then `unavailable`"),
    Internal("CLIENT_CHARACTERS", "what the log keeps of a client's name"),
];

/// A number as people read it.
fn told(name: &str, value: u64) -> String {
    let counted = |unit: &str| {
        let digits = value.to_string();
        let (mut text, mut left) = (String::new(), digits.len());
        for digit in digits.chars() {
            text.push(digit);
            left -= 1;
            if left > 0 && left % 3 == 0 {
                text.push(',');
            }
        }
        format!("{text}{unit}")
    };
    let (kib, mib) = (1024, 1024 * 1024);
    let (second, day) = (1000, 24 * 3600 * 1000);
    match name.rsplit('_').next().unwrap_or_default() {
        "BYTES" | "PIECE" if value.is_multiple_of(mib) => format!("{} MiB", value / mib),
        "BYTES" | "PIECE" if value < kib => counted(" bytes"),
        "BYTES" | "PIECE" => format!("{} KiB", value / kib),
        "MS" if value.is_multiple_of(day) => format!("{} days", value / day),
        "MS" => format!("{} s", value / second),
        "CHARACTERS" => counted(" characters"),
        _ => counted(""),
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().flat_map(|(_, rows)| *rows)
}

#[test]
fn the_published_table_is_that_of_the_constants() {
    let mut page = String::from(
        "# Limits\n\nWhat is limited, by how much, and what happens beyond. A refusal changes nothing and says what to \
         do. The numbers are\nthose of `src/model/limits.rs`, from which this page is generated.\n",
    );
    for (title, rows) in TABLE {
        page += &["\n## ", title, "\n\n| what | limit | beyond it | test |\n|---|---|---|---|\n"].concat();
        for Row(name, value, what, beyond, test) in *rows {
            let (file, shown_by) = test.split_once(' ').unwrap();
            let limit = told(name, *value);
            page += &["| ", what, " | ", &limit, " | ", beyond, " | `", file, "` `", shown_by, "` |\n"].concat();
        }
    }
    page.push_str(
        "\nOver HTTP the codes of the operations are those of the MCP result; at `/v1` they are problems with their \
         status\n(`invalid_argument` 400, `too_large` 413, `overloaded` 503). On the command line they end it with the \
         exit code of\ntheir kind.\n",
    );
    expect_test::expect_file!["../../docs/limits.md"].assert_eq(&page);
}

#[test]
fn every_constant_is_in_the_table_or_internal() {
    let names = include_str!("limits.rs").lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let listed: Vec<_> = rows().map(|row| row.0).chain(INTERNAL.iter().map(|internal| internal.0)).collect();
    for name in names {
        let times = listed.iter().filter(|each| **each == name).count();
        assert_eq!(times, 1, "{name} belongs into TABLE, or into INTERNAL when nobody meets it from outside");
    }
    assert!(INTERNAL.iter().all(|internal| !internal.1.is_empty()));
}

#[test]
fn every_row_names_a_test_that_exists() {
    for Row(name, .., test) in rows() {
        let (file, shown_by) = test.split_once(' ').unwrap();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
        assert!(source.contains(&format!("fn {shown_by}(")), "{name}: {file} has no test {shown_by}");
    }
}

#[test]
fn the_smaller_parts_of_a_request_fit_into_the_larger() {
    // A value of the largest size in base64, with its envelope.
    assert!(l::VALUE_BYTES.div_ceil(3) * 4 + l::LARGE_BYTES < l::MESSAGE_BYTES);
    // A key's name in a URI, percent-encoded, with its instance; and in a cursor.
    let name = l::KEY_NAME_CHARACTERS * 4 * 3;
    assert!(name + l::INSTANCE_NAME_CHARACTERS * 4 * 3 + 100 < l::URI_BYTES.min(l::URL_BYTES));
    assert!(name + 100 < l::RESOURCES_CURSOR_BYTES && l::KEY_NAME_CHARACTERS * 4 * 2 <= l::CURSOR_CHARACTERS);
    const {
        assert!(
            l::LISTENS + l::SOCKETS < l::CONNECTIONS && l::WAITS_OF_SESSION < l::WAITS && l::WAITS < l::CONNECTIONS
        );
    };
}
