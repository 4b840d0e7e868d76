// The types of `mindcache/node`.
import type { Storage } from './index.js';

/**
 * A storage in the files `path.edits` and `path.keys`, so that edits outlive the program. One program at a time may use a
 * path.
 */
export function fileStorage(path: string): Storage;
