// The types of `mindcache`.

/** What a key holds. It is metadata: in memory any JSON value stands under any type. */
export type KeyType = 'text' | 'json' | 'image' | 'file';

/** How a key takes part: in the prompt, readable and writable for models, expanded when read, not to be deleted. */
export type SystemTag = 'SystemPrompt' | 'LLMRead' | 'LLMWrite' | 'ApplyTemplate' | 'protected';

/** Attributes as they are given. What is not named stays; older spellings of the system tags are understood. */
export interface GivenAttributes {
  /** `text` unless told. */
  type?: KeyType;
  /** MIME type; images and files have one. */
  contentType?: string;
  /** The user's tags. */
  contentTags?: string[];
  /** The same as `contentTags`, by the name of the first versions. */
  tags?: string[];
  /** All system tags; a new key has `SystemPrompt` and `LLMWrite`. */
  systemTags?: (SystemTag | 'prompt' | 'readonly' | 'template' | 'hardcoded' | (string & {}))[];
  /** The place in the prompt and in lists: lower comes first. */
  zIndex?: number;
  /** Models may not write it: no `LLMWrite`. */
  readonly?: boolean;
  /** It is part of the system prompt: `SystemPrompt`. */
  visible?: boolean;
  /** It cannot be deleted: `protected`, which is not taken off by this. */
  hardcoded?: boolean;
  /** Markers in its value are replaced when it is read: `ApplyTemplate`. */
  template?: boolean;
  /** Others are kept in memory; a server does not know them. */
  [name: string]: unknown;
}

/** Attributes as they are shown. */
export interface KeyAttributes {
  type: KeyType;
  contentType?: string;
  contentTags: string[];
  systemTags: SystemTag[];
  zIndex: number;
  readonly: boolean;
  visible: boolean;
  hardcoded: boolean;
  template: boolean;
  tags: string[];
  [name: string]: unknown;
}

/** An entry of an export. */
export interface SerializedKey {
  value: any;
  attributes: GivenAttributes;
}

/** Conditions of a write to a key on a server. */
export interface WriteOptions {
  /** Write only if the key is at this version; 0: only if there is none. Otherwise the edit is dropped and reported. */
  ifVersion?: number;
  /** Milliseconds after which the key expires. */
  ttlMs?: number;
}

export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'error';

/** An edit that met another one. */
export interface Conflict {
  key: string;
  /** What this client wrote; undefined for a deletion. */
  mine: any;
  /** What somebody else had written; undefined for a deletion. */
  theirs: any;
  /** Which of the two stands. */
  kept: 'mine' | 'theirs';
  /** The version of what stands, as far as it is known. */
  version: number;
}

/** What went wrong between a client and a server. */
export interface CloudError extends Error {
  /**
   * `offline`, `refused` (no access), `ended` (access was taken back), `storage`, `listener`, `fetch`, `too_large`,
   * `too_slow` (the edit did not get to the server in its time; it goes again), `other_instance` and `other_user`
   * (the edit waited for another instance, or was made by another user), or a code of the server, such as `NO_PERMISSION`.
   */
  code: string;
  /** The key whose edit was dropped, but for `too_slow`. */
  key?: string;
}

/** Keeps what a client must not forget. It may answer at once or later. */
export interface Storage {
  /** What was saved under a name; null for nothing. */
  load(part: 'edits' | 'keys'): string | null | Promise<string | null>;
  /** Saves a text under a name, whole or not at all. */
  save(part: 'edits' | 'keys', text: string): void | Promise<void>;
}

/** A time that only goes forward, in milliseconds, and timers on it. For tests. */
export interface Clock {
  now(): number;
  setTimeout(act: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** Where an instance is, and how to get in. */
export interface MindCacheCloudOptions {
  /** The instance's id, or its name in the project. */
  instanceId: string;
  /** The project in which the name is looked up: an id or a name; the caller's own unless told. */
  projectId?: string;
  /** Answers `GET ?instanceId=…` with `{token}`. For browsers: the key stays on the server behind it. */
  tokenEndpoint?: string;
  /** An API key, or `del_…:sec_…` of a delegate. For servers: never in a browser. */
  apiKey?: string;
  /** The server: `http(s):` or `ws(s):`. Unless told `MINDCACHE_BASE_URL`, in browsers also the page's own origin. */
  baseUrl?: string;
  /** A token for one connection, however it is got. */
  tokenProvider?(): string | undefined | Promise<string | undefined>;
  /** The program's name in the log and among who is connected. */
  clientName?: string;
  /** Where edits wait that were not acknowledged: `localStorage` in browsers unless told, nowhere in Node; null: nowhere. */
  storage?: Storage | null;
  /** Instead of the global ones. */
  WebSocket?: new (url: string) => any;
  fetch?: typeof globalThis.fetch;
  clock?: Clock;
  /** A number in [0, 1) for the pauses between connections. */
  random?(): number;
  /** An id that no other start of any client has. */
  replica?(): string;
}

export interface MindCacheOptions {
  /** `system` may use the system tags' methods; `admin` is the same. */
  accessLevel?: 'user' | 'system' | 'admin';
  /** System tags of new keys: `SystemPrompt` and `LLMWrite` unless told. */
  defaultSystemTags?: SystemTag[];
  /** What `$date` and `$time` tell. */
  now?(): Date;
  /** Makes it one of many on a server. */
  cloud?: MindCacheCloudOptions;
}

/** A schema of arguments in the shape of the `ai` package. */
export interface ToolSchema {
  jsonSchema: any;
  validate(value: unknown): { success: true; value: any } | { success: false; error: Error };
}

/** What a tool did. */
export interface ToolResult {
  result: string;
  key: string;
  value: any;
  type?: KeyType;
  contentType?: string;
  sanitizedKey?: string;
}

/** A tool in the shape of the `ai` package: `generateText({ tools: mc.get_aisdk_tools(), … })`. */
export interface Tool {
  description: string;
  inputSchema: any;
  /** The same, by its name in versions of the `ai` package before 5. */
  parameters: any;
  /** Writes the key. It throws when the tool is out of date, and for values that do not fit. */
  execute(input: { value: string; contentType?: string }): Promise<ToolResult>;
}

/** Keys for people, programs and models; alone, or one of many on a server. */
export class MindCache {
  constructor(options?: MindCacheOptions);

  /** The value of a key, templates expanded; undefined when there is none. `$date` and `$time` are computed. */
  get_value(key: string): any;
  /** The same as `get_value`. */
  get(key: string): any;
  /**
   * Sets a value. Attributes that are not named stay; those of a new key are the default ones. With a server the value becomes
   * what JSON makes of it, and one that JSON cannot write throws a `TypeError`.
   */
  set_value(key: string, value: any, attributes?: GivenAttributes, options?: WriteOptions): void;
  /** The same as `set_value`. */
  set(key: string, value: any, attributes?: GivenAttributes, options?: WriteOptions): void;
  /** Whether there is such a key. */
  has(key: string): boolean;
  /** Deletes a key; false when there is none, or when it is protected. */
  delete(key: string): boolean;
  /** Deletes all keys but the protected ones. On a server: those that this client knows of. */
  clear(): void;
  /** Sets several values. Attributes of keys that are there stay. */
  update(values: Record<string, any>): void;
  /** How many keys there are, with `$date` and `$time`. */
  size(): number;
  /** Names: by `zIndex`, then by their bytes; `$date` and `$time` come last. */
  keys(): string[];
  /** Values in the order of `keys()`, templates not expanded. */
  values(): any[];
  /** Names and values in the order of `keys()`, templates not expanded. */
  entries(): [string, any][];
  /** Values by name, templates not expanded. */
  getAll(): Record<string, any>;

  /** All attributes of a key; undefined when there is none. */
  get_attributes(key: string): KeyAttributes | undefined;
  /** Changes attributes; false when there is no such key. It neither protects a key nor takes that off. */
  set_attributes(key: string, attributes: GivenAttributes): boolean;

  /** Sets an image or a file. Throws when the content type does not fit. */
  set_base64(key: string, base64: string, contentType: string, type?: 'image' | 'file', attributes?: GivenAttributes): void;
  /** Sets an image; `image/jpeg` unless told. */
  add_image(key: string, base64: string, contentType?: string, attributes?: GivenAttributes): void;
  /** The base64 of an image or a file. */
  get_base64(key: string): string | undefined;
  /** An image or a file as a data URL. */
  get_data_url(key: string): string | undefined;

  /** Adds a tag; true when the key is there and did not have it. */
  addTag(key: string, tag: string): boolean;
  /** Takes a tag off; true when the key had it. */
  removeTag(key: string, tag: string): boolean;
  getTags(key: string): string[];
  hasTag(key: string, tag: string): boolean;
  /** All tags, each once. */
  getAllTags(): string[];
  getKeysByTag(tag: string): string[];
  /** The tagged keys as `key: value`, with `, ` between them. */
  getTagged(tag: string): string;

  /** `system` when the system tags' methods may be used. */
  readonly accessLevel: 'user' | 'system';
  readonly hasSystemAccess: boolean;
  /** Adds a system tag; `readonly` takes `LLMWrite` off. */
  systemAddTag(key: string, tag: SystemTag | 'readonly' | (string & {})): boolean;
  /** Takes a system tag off; never `protected`. */
  systemRemoveTag(key: string, tag: SystemTag | 'readonly' | (string & {})): boolean;
  systemGetTags(key: string): SystemTag[];
  systemHasTag(key: string, tag: SystemTag | 'readonly' | (string & {})): boolean;
  /** Makes these the system tags. This is how `protected` is taken off. */
  systemSetTags(key: string, tags: (SystemTag | (string & {}))[]): boolean;
  systemGetKeysByTag(tag: SystemTag | 'readonly' | (string & {})): string[];

  /** A text with `{{key}}` replaced; keys that are not part of the prompt give nothing. */
  injectSTM(template: string): string;
  /** The system prompt: a line for each visible key, then the date and the time. */
  get_system_prompt(): string;
  /** Visible keys as `key: value`, with `, ` between them. */
  getSTM(): string;
  /** The same as `getAll`. */
  getSTMObject(): Record<string, any>;
  getSTMForAPI(): { key: string; value: any; type: KeyType; contentType?: string }[];
  /** The visible images as parts of a message of the `ai` package. */
  getVisibleImages(): { type: 'file'; mediaType: string; url: string; filename: string }[];

  /** A tool for each key that models may write, by its name. */
  get_aisdk_tools(): Record<string, Tool>;
  /** Does what a model asked for; null when no tool is called so now. */
  executeToolCall(tool: string, value: any): { result: string; key: string; value: any } | null;

  /** Hears each value that a key gets, undefined when it goes; answers with what ends that. */
  subscribe(key: string, listener: (value: any) => void): () => void;
  unsubscribe(key: string, listener: (value: any) => void): void;
  /** Hears that something changed: values, attributes, the connection; answers with what ends that. */
  subscribeToAll(listener: () => void): () => void;
  unsubscribeFromAll(listener: () => void): void;

  /** All keys with their attributes, without the protected ones. */
  serialize(): Record<string, SerializedKey>;
  /** Makes the keys those of an export of any version; what is protected stays. */
  deserialize(exported: Record<string, SerializedKey>): void;
  /** `serialize` as JSON text. */
  toJSON(): string;
  /** Takes in what `toJSON` wrote; what is no JSON changes nothing. */
  fromJSON(text: string): void;
  /** All keys as a Markdown document. */
  toMarkdown(): string;
  /** Makes the keys those of a Markdown export; other text changes nothing. */
  fromMarkdown(text: string): void;

  /** Whether it is one of many on a server. */
  readonly isCloud: boolean;
  /** Whether everything that the server has was seen, but for large values; always so without one. */
  readonly isLoaded: boolean;
  readonly connectionState: ConnectionState;
  /** How many edits the server has not acknowledged yet. */
  readonly pending: number;
  /** The version of a key on the server, for `ifVersion`; 0 when it has none. */
  getVersion(key: string): number;
  /**
   * Resolves when everything that the server has was seen. Large values, over 64 KiB, come after that: until then a key has
   * the value before, or `undefined`. Rejects when `disconnect()` comes first.
   */
  waitForSync(): Promise<void>;
  /** Resolves when the edits made so far are acknowledged or refused. Rejects when `disconnect()` comes first. */
  flush(): Promise<void>;
  /** Hears of refused edits and failed connections; answers with what ends that. */
  onError(listener: (error: CloudError) => void): () => void;
  /** Hears of edits that met others; answers with what ends that. */
  onConflict(listener: (conflict: Conflict) => void): () => void;
  /** Ends the connection. Edits made from now on wait for `reconnect()`. */
  disconnect(): void;
  /** Connects again after `disconnect()`. */
  reconnect(): void;
}
