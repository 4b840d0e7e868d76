// The types of `mindcache/changes`.
import type { CloudError, ConnectionState, KeyType, MindCacheCloudOptions, SystemTag } from './index.js';

/** Who changed a key. */
export interface Writer {
  /** What `key_browse` takes as `writer`. */
  writer: string;
  kind: 'human' | 'app' | 'agent';
  /** Who was authorised, such as `local`. */
  principal: string;
  /** The program that wrote, as it names itself. */
  client: string;
}

/** A key as a row of a list. */
export interface KeyRow {
  key: string;
  type: KeyType;
  content_type?: string;
  /** How its value begins, in one line of at most 160 characters; nothing of images and files. */
  preview: string;
  /** Size of the value in bytes. */
  size: number;
  tags: string[];
  system_tags: SystemTag[];
  /** The seq of its last change. */
  version: number;
  actor: Writer;
  /** When that was, as RFC 3339. */
  updated_at: string;
}

/** A change of a key. */
export interface Change {
  /** Its seq, and so the version of the key. */
  seq: number;
  key: string;
  change: 'created' | 'updated' | 'deleted' | 'expired';
  /** When, as RFC 3339. */
  at: string;
  actor: Writer;
  /** What the key became; nothing when it is gone, or may not be read here any more. */
  row?: KeyRow;
}

/** Which changes of which instance, and who hears of them. */
export interface FollowOptions extends Omit<MindCacheCloudOptions, 'storage'> {
  /** The seq after which to begin, as `as_of_seq` of a list says it; from now on unless told. */
  since?: number | null;
  /** The log that this seq is of, as `log` said it. */
  log?: string | null;
  /** The first and the longest pause before a connection, in milliseconds: 1,000 and 30,000 unless told. */
  pauses?: [first: number, longest: number];
  /**
   * Changes, oldest first, each once; none, when it is only told how far that goes. `seq`: everything up to here was told;
   * `head`: the last change of the instance, what is between is on its way.
   */
  onChanges(changes: Change[], upTo: { seq: number; head: number }): void;
  /**
   * What came before `seq` is not told: the log does not hold it (`log_truncated`), it is another one (`other_log`,
   * `other_instance`), or one might see other keys (`other_rights`). What is shown is to be asked for anew.
   */
  onGap?(reason: 'log_truncated' | 'other_log' | 'other_rights' | 'other_instance', seq: number): void;
  /** The connection; `pauseMs` until the next try, where it waits for one. */
  onState?(state: ConnectionState, pauseMs: number | null): void;
  /** Failed connections: `offline`, `refused`, `ended`, or a code of the server. */
  onError?(error: CloudError): void;
}

export interface ChangesLink {
  readonly connectionState: ConnectionState;
  /** What the server lets this client do, once it is connected. */
  readonly permission: 'read' | 'write' | 'admin' | null;
  /** The instance's id, once it was connected. */
  readonly instanceId: string | null;
  /** Up to where it has followed, in which log: to come back with after a restart. */
  readonly seq: number | null;
  readonly log: string | null;
  /** Does an operation of the server on the instance, such as `key_browse`. Errors carry its `code`. */
  call(operation: string, args?: Record<string, unknown>): Promise<any>;
  /** Tries at once, or looks whether the connection is still there. */
  hurry(): void;
  /** Ends it, for good. */
  disconnect(): void;
}

/** Follows the changes of an instance: each with who made it and how the value begins, without the keys themselves. */
export function followChanges(options: FollowOptions): ChangesLink;
