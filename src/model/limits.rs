//! Every limit on a size or a count, in one place. Sizes are bytes unless the name says characters.

/// How long a deleted instance can be brought back, in milliseconds: 7 days.
pub const GRACE_MS: i64 = 7 * 24 * 3600 * 1000;
/// Instances of one data folder, with snapshots and those that can still be brought back.
pub const INSTANCES: usize = 10_000;
/// Records of one kind about people and rights: users, projects, API keys, delegates, secrets, groups, shares.
pub const ACCESS_RECORDS: usize = 100_000;
/// Projects of one user. This limit and the next ones do not hold whom the machine or the server belongs to.
pub const PROJECTS_OF_USER: usize = 200;
/// Instances in all projects of one user, with snapshots and those that can still be brought back.
pub const INSTANCES_OF_USER: usize = 2000;
/// API keys of one user.
pub const KEYS_OF_USER: usize = 1000;
/// Delegates of one user.
pub const DELEGATES_OF_USER: usize = 1000;
/// Groups of one user.
pub const GROUPS_OF_USER: usize = 1000;
/// Groups of one owner that have one and the same member.
pub const MEMBERSHIPS_BY_OWNER: usize = 50;
/// To how many one project or instance is given.
pub const SHARES_OF_ONE: usize = 2000;
/// Projects and instances that are given to one party.
pub const SHARES_WITH_ONE: usize = 5000;
/// Longest name of a user, project, key or group, and longest way to mean one, in characters.
pub const ACCESS_CHARACTERS: usize = 300;
/// Issuers whose tokens a server takes.
pub const ISSUERS: usize = 16;
/// Largest set of an issuer's keys, and largest discovery document.
pub const JWKS_BYTES: usize = 256 * 1024;
/// Longest name of somebody at an issuer (`sub`); OpenID Connect allows no more.
pub const SUBJECT_BYTES: usize = 255;
/// Most that the clocks of issuers and ours may differ, in seconds.
pub const CLOCK_SKEW_S: u64 = 300;
/// Scopes of an API key.
pub const SCOPES: usize = 32;
/// Secrets of a delegate.
pub const SECRETS: usize = 10;
/// Members of a group.
pub const GROUP_MEMBERS: usize = 1000;
/// Groups that have one and the same member.
pub const GROUPS_OF_MEMBER: usize = 1000;
/// Longest note of a snapshot, in characters.
pub const NOTE_CHARACTERS: usize = 1000;
/// Most names of each kind that a comparison of two instances reports.
pub const DIFF_NAMES: usize = 1000;
/// Longest key name, in characters.
pub const KEY_NAME_CHARACTERS: usize = 256;
/// Longest instance name, in characters.
pub const INSTANCE_NAME_CHARACTERS: usize = 128;
/// Largest value, decoded: one limit on every face.
pub const VALUE_BYTES: usize = 25 * 1024 * 1024;
/// A value over this is a file of its own beside the database. Below, one flush writes it; above, a file
/// is twice as quick to write and five times as quick to read (measured at 5 MiB).
pub const INLINE_BYTES: usize = 64 * 1024;
/// Longest line or body a face takes: a 25 MiB value in base64 with its envelope.
pub const MESSAGE_BYTES: usize = 36 * 1024 * 1024;
/// A line or body over this is large: it has to be held whole, so only so many are taken in at once.
pub const LARGE_BYTES: usize = 1024 * 1024;
/// Large lines and bodies that one process takes in and answers at a time; the others wait.
pub const LARGE_MESSAGES: usize = 2;
/// How long a large body may take to arrive once it has its place.
pub const LARGE_MS: u64 = 60_000;
/// Largest message of what lasts and so keeps its message: a wait, and the opening of a session.
pub const LASTING_BYTES: usize = 256 * 1024;
/// Largest message that opens a subscription, and all URIs together that one session follows.
pub const LISTEN_BYTES: usize = 4 * 1024 * 1024;
/// Most levels of nesting in a message: those of serde_json.
pub const MESSAGE_DEPTH: usize = 127;
/// Requests that one stdio connection has under way.
pub const IN_FLIGHT: usize = 1024;
/// Bytes of the requests that one stdio connection has under way, but for large ones.
pub const IN_FLIGHT_BYTES: usize = 64 * 1024 * 1024;
/// Bytes waiting for a stdio client to read them, beyond which it is read no further.
pub const UNWRITTEN_BYTES: usize = 64 * 1024 * 1024;
/// Most characters of a text, or bytes of a file, in one reply.
pub const PIECE: usize = 256 * 1024;
/// Most bytes of an image in one reply: a picture is only of use whole.
pub const IMAGE_PIECE: usize = 4 * 1024 * 1024;
/// A value up to this size is shown in lists and histories.
pub const LISTED_VALUE_BYTES: usize = 1024;
/// Keys, or rows of the log, that one page looks at when few of them are for its caller.
pub const LOOKED_AT: usize = 10_000;
/// Longest cursor of a page, in characters.
pub const CURSOR_CHARACTERS: usize = 2048;
/// Longest cursor of `resources/list`: a key's name, percent-encoded.
pub const RESOURCES_CURSOR_BYTES: usize = 4 * 1024;
/// Content tags of a key.
pub const TAGS: usize = 32;
/// Longest content tag, in characters.
pub const TAG_CHARACTERS: usize = 64;
/// Longest description of a key, in characters: it becomes part of a tool definition.
pub const DESCRIPTION_CHARACTERS: usize = 300;
/// Largest JSON Schema of a key.
pub const SCHEMA_BYTES: usize = 16 * 1024;
/// Deepest nesting of a key's JSON Schema.
pub const SCHEMA_DEPTH: usize = 32;
/// Patterns of a key's JSON Schema.
pub const SCHEMA_PATTERNS: usize = 8;
/// Memory that one of them may take: it is paid at each write.
pub const PATTERN_BYTES: usize = 256 * 1024;
/// Longest content type, in characters.
pub const CONTENT_TYPE_CHARACTERS: usize = 128;
/// Most items of a page.
pub const PAGE: u32 = 1000;
/// Items of a list page unless told.
pub const LIST_PAGE: u32 = 100;
/// Keys of a page by rank.
pub const BROWSE_PAGE: u64 = 200;
/// Characters of a value in such a page.
pub const PREVIEW_CHARACTERS: usize = 160;
/// Facets of each sort that are counted out; the others are only said to be there.
pub const FACETS: usize = 200;
/// Longest name of a writer to filter by, in characters.
pub const WRITER_CHARACTERS: usize = 300;
/// Items of a search or history page unless told.
pub const SHORT_PAGE: u32 = 20;
/// Longest wait of one call. MCP clients give up at about 60 s.
pub const WAIT_MS: u64 = 45_000;
/// Length of a wait unless told.
pub const DEFAULT_WAIT_MS: u64 = 30_000;
/// Most changes that one wait reports.
pub const WAIT_CHANGES: usize = 100;
/// Calls of one process that wait for a change.
pub const WAITS: usize = 512;
/// Calls of one session, or of one stdio connection, that wait for a change.
pub const WAITS_OF_SESSION: usize = 128;
/// Longest time to live: ten years.
pub const TTL_MS: u64 = 10 * 366 * 24 * 3600 * 1000;
/// Most characters of the system prompt.
pub const PROMPT_CHARACTERS: usize = 256 * 1024;
/// Most keys of the system prompt that are looked at; far more than fit.
pub const PROMPT_KEYS: usize = 100_000;
/// Largest text that a template comes to.
pub const TEMPLATE_BYTES: usize = 1024 * 1024;
/// How deep templates are injected into one another, the first one not counted.
pub const TEMPLATE_DEPTH: usize = 16;
/// Tools of one connection, those of single keys included, unless the static ones are more.
pub const TOOLS: usize = 40;
/// Prompts offered of each of the tags that make a key one.
pub const PROMPTS: usize = 100;
/// Arguments of one prompt; what else stands in its braces stays as it is.
pub const PROMPT_ARGUMENTS: usize = 20;
/// Longest name of such an argument, in characters.
pub const PROMPT_ARGUMENT_CHARACTERS: usize = 64;
/// Records that one turn of expiry removes.
pub const EXPIRE_SLICE: usize = 1000;
/// Longest `op_search` query, in characters.
pub const QUERY_CHARACTERS: usize = 256;
/// Longest name of an operation in `op_call`, in characters.
pub const OPERATION_CHARACTERS: usize = 64;
/// Longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARACTERS: usize = 128;
/// Longest question that `search_keys` takes, in characters.
pub const QUESTION_CHARACTERS: usize = 1000;
/// Most keys that a search answers with.
pub const SEARCH_PAGE: u64 = 100;
/// How long a search may let the index catch up, in milliseconds.
pub const CATCH_UP_MS: u64 = 200;
/// How long an answer is kept under its idempotency key, in milliseconds.
pub const REPLY_MS: i64 = 24 * 3600 * 1000;
/// Largest answer that is kept; of a larger one only its outcome is.
pub const REPLY_BYTES: usize = 64 * 1024;
/// Operations of one batch.
pub const BATCH: usize = 100;
/// All results of one batch together.
pub const BATCH_REPLY_BYTES: usize = 4 * 1024 * 1024;
/// Large values that one batch writes, together: all are in memory until the last operation is done.
pub const BATCH_LARGE_BYTES: u64 = 64 * 1024 * 1024;
/// Rows of the log in which `undo` looks for the last change of its caller.
pub const UNDO_ROWS: u64 = 2000;
/// How long a change can be taken back by `undo`, in milliseconds: 30 days.
pub const UNDO_MS: i64 = 30 * 24 * 3600 * 1000;
/// Turns that an author can take back before the first of them is forgotten.
pub const UNDO_TURNS: usize = 1000;
/// Rows of the log from which one turn takes the values of a purged key.
pub const PURGE_SLICE: usize = 1000;
/// Commands waiting for one instance.
pub const QUEUE: usize = 4096;
/// Bytes of arguments waiting for one instance.
pub const QUEUE_BYTES: usize = 256 * 1024 * 1024;
/// Commands of one commit.
pub const GROUP_COMMANDS: usize = 512;
/// Bytes of one commit, after which no further command joins.
pub const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Time in which commands may join a commit, in milliseconds.
pub const GROUP_MS: u128 = 10;
/// How long a caller waits for another process to let go of the store.
pub const GATE_WAIT_MS: u64 = 5_000;
/// Characters of the client's name kept in the log.
pub const CLIENT_CHARACTERS: usize = 64;
/// Resources that one session or subscription follows.
pub const FOLLOWED: usize = 1000;
/// Longest URI of a resource that is read or followed. One of a key takes 5 KiB at most.
pub const URI_BYTES: usize = 8 * 1024;
/// Open subscriptions of one HTTP server. Each is a connection; how many files may be open is raised at the start.
pub const LISTENS: usize = 1024;
/// Open subscriptions of one stdio connection.
pub const LISTENS_OF_CONNECTION: usize = 16;
/// One user, with all keys and delegates together, has one in so many of the places of what lasts: waits, streams, sessions,
/// WebSockets. This does not hold whom the machine or the server belongs to.
pub const PARTS: usize = 4;
/// Sessions of one HTTP server.
pub const SESSIONS: usize = 10_000;
/// One-time codes of one HTTP server that are out at a time.
pub const CODES: usize = 100;
/// How long a one-time code can be used, in milliseconds.
pub const CODE_MS: i64 = 600_000;
/// Browsers that are signed in.
pub const SIGN_INS: usize = 1000;
/// How long a browser stays signed in, in milliseconds.
pub const SIGN_IN_MS: i64 = 30 * 24 * 3600 * 1000;
/// Refusals of one source that the log tells of in a minute; of more it tells how many.
pub const REFUSALS_TOLD: usize = 20;
/// Connections of one HTTP server, its WebSockets among them. Each is an open file; how many a process may have is raised
/// at the start, and where they are too few there are fewer connections.
pub const CONNECTIONS: usize = 13_500;
/// Longest path and query of an HTTP request. One of a key takes 5 KiB at most.
pub const URL_BYTES: usize = 8 * 1024;
/// Names and values of all headers of an HTTP request together.
pub const HEADERS_BYTES: usize = 64 * 1024;
/// Headers of an HTTP request: those of hyper.
pub const HEADERS: usize = 100;
/// Longest `config.toml` of a data folder.
pub const CONFIG_FILE_BYTES: u64 = 64 * 1024;
/// WebSockets of one HTTP server.
pub const SOCKETS: usize = 12_000;
/// Tokens for WebSockets that are out at a time.
pub const WS_TOKENS: usize = 100_000;
/// Those of one user.
pub const WS_TOKENS_OF_ONE: usize = 10_000;
/// How long a token for a WebSocket can be used, in milliseconds.
pub const WS_TOKEN_MS: i64 = 60_000;
/// Messages of one socket that are under way; then it is read no further.
pub const SOCKET_IN_FLIGHT: usize = 256;
/// Bytes of those.
pub const SOCKET_IN_FLIGHT_BYTES: usize = 4 * 1024 * 1024;
/// Rows of the log that a socket is told of one by one when it comes back; beyond that it is shown all keys.
pub const CATCH_UP_ROWS: u64 = 20_000;
/// Keys of one piece of a state, in bytes.
pub const PIECE_BYTES: usize = 64 * 1024;
/// The state in one message for a client that knows of no pieces; what is more follows in another.
pub const OLD_STATE_BYTES: usize = 64 * 1024 * 1024;
/// Recent changes of an instance that are kept for its sockets.
pub const RING_CHANGES: usize = 16_384;
/// Bytes of those.
pub const RING_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of those of all instances.
pub const RINGS_BYTES: usize = 256 * 1024 * 1024;
/// Keys, prefixes and tags that a socket is narrowed down to.
pub const SUBSCRIBED: usize = 1000;
/// Longest `opId`, in characters.
pub const OP_ID_CHARACTERS: usize = 128;
/// Longest note of a connection, in characters.
pub const PRESENCE_NOTE_CHARACTERS: usize = 128;
/// Connections that presence tells of.
pub const PRESENT: usize = 1000;
/// Deletions that a socket is remembered to have been told of by themselves.
pub const TOLD_GONE: usize = 10_000;
