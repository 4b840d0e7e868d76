// The types of `mindcache/cloud`.
import type { CloudError, Conflict, ConnectionState, MindCache, MindCacheCloudOptions } from './index.js';

export type { CloudError, Conflict, ConnectionState, MindCacheCloudOptions } from './index.js';

/** Somebody who is connected to the instance. */
export interface Presence {
  connection: string;
  principal: string;
  kind: string;
  client: string;
  since: number | string;
}

/** A MindCache's tie to a server. */
export interface CloudLink {
  readonly connectionState: ConnectionState;
  readonly isLoaded: boolean;
  /** How many edits the server has not acknowledged yet. */
  readonly pending: number;
  /** What the server lets this client do, once it is connected. */
  readonly permission: 'read' | 'write' | 'admin' | null;
  /** The instance's id, once it was connected. */
  readonly instanceId: string | null;
  /** The version of a key on the server; 0 when it has none. */
  versionOf(key: string): number;
  /** Does an operation of the server on the instance, such as `search_keys`. Errors carry its `code`. */
  call(operation: string, args?: Record<string, unknown>): Promise<any>;
  onError(listener: (error: CloudError) => void): () => void;
  onConflict(listener: (conflict: Conflict) => void): () => void;
  /** Hears who is connected, now and on each change; answers with what ends that. */
  onPresence(listener: (connections: Presence[]) => void): () => void;
  /** Connects, also after `disconnect()`. */
  start(): void;
  /** Ends the connection; edits wait. */
  disconnect(): void;
}

/**
 * Connects a MindCache to an instance. Keys that it has already go there where the server has none; where it has one, that
 * one stands, and `onConflict` hears of both.
 */
export function connectCloud(mc: MindCache, config: MindCacheCloudOptions): CloudLink;

/** A new MindCache that is connected to an instance. */
export function createCloudMindCache(config: MindCacheCloudOptions): MindCache;
