// What `import … from 'mindcache/node'` gives: a storage in files, for programs in Node.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Keeps a connection's state in `path.edits` and `path.keys`. One program at a time may use a path. */
export function fileStorage(path) {
  return {
    load(part) {
      try {
        return readFileSync(`${path}.${part}`, 'utf8');
      } catch (error) {
        if (error.code === 'ENOENT') return null;
        throw error;
      }
    },

    /** Whole or not at all, also when the machine stops meanwhile. */
    save(part, text) {
      mkdirSync(dirname(path), { recursive: true });
      const next = `${path}.${part}.next`;
      const file = openSync(next, 'w', 0o600);
      try {
        writeFileSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(next, `${path}.${part}`);
    },
  };
}
