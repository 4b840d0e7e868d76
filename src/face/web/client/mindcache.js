// MindCache: keys for people, programs and models; alone, or one of many on a server.
import { imported, shown } from './core/attributes.js';
import { RESERVED } from './core/keys.js';
import { read } from './core/markdown-reader.js';
import { write } from './core/markdown.js';
import { ToolKeys } from './core/tools.js';
import { connect } from './sync/link.js';

export class MindCache extends ToolKeys {
  constructor(options = {}) {
    super(options);
    if (options.cloud) connect(this, options.cloud);
  }

  /** All keys with their attributes, without those that are protected. */
  serialize() {
    return Object.fromEntries(this.#portable().map(([key, { value, attributes }]) => [key, { value, attributes: shown(attributes) }]));
  }

  /** Makes the keys those of an export of any version. What is protected stays and is not taken in. */
  deserialize(exported) {
    if (typeof exported !== 'object' || exported === null) return;
    const entries = new Map();
    for (const [key, entry] of Object.entries(exported)) {
      if (RESERVED.includes(key) || !entry || typeof entry !== 'object' || !('value' in entry) || !entry.attributes) continue;
      const attributes = imported(entry.attributes);
      if (!attributes.systemTags.includes('protected')) entries.set(key, { value: entry.value, attributes });
    }
    this._replace(entries);
  }

  toJSON() {
    return JSON.stringify(this.serialize());
  }

  /** Takes in what `toJSON` wrote; anything else changes nothing. */
  fromJSON(text) {
    try {
      this.deserialize(JSON.parse(text));
    } catch (error) {
      console.error('MindCache: this is not JSON, nothing was changed:', error.message);
    }
  }

  toMarkdown() {
    return write(this.#portable(), this._reserved('$date'));
  }

  /** Makes the keys those of a Markdown export; a text that is none changes nothing. */
  fromMarkdown(text) {
    const entries = read(text);
    if (!entries) return;
    for (const key of RESERVED) entries.delete(key);
    this._replace(entries);
  }

  /** `disconnected`, `connecting`, `connected` or `error`; always the first without a server. */
  get connectionState() {
    return this._link?.connectionState ?? 'disconnected';
  }

  /** Whether everything that the server has was seen; always so without one. */
  get isLoaded() {
    return this._link?.isLoaded ?? true;
  }

  get isCloud() {
    return this._link !== null;
  }

  /** How many edits the server has not acknowledged yet. */
  get pending() {
    return this._link?.pending ?? 0;
  }

  /** The version of a key on the server, for `ifVersion`; 0 when it has none. */
  getVersion(key) {
    return this._link?.versionOf(key) ?? 0;
  }

  /** Resolves when everything that the server has was seen. */
  async waitForSync() {
    await this._link?.loaded();
  }

  /** Resolves when the server has acknowledged, or refused, all edits made so far. */
  async flush() {
    await this._link?.flushed();
  }

  /** Hears of refused edits, failed connections and storage, as errors with `code`; answers with what ends that. */
  onError(listener) {
    return this._link?.onError(listener) ?? (() => {});
  }

  /** Hears of edits that met others; answers with what ends that. */
  onConflict(listener) {
    return this._link?.onConflict(listener) ?? (() => {});
  }

  /** Ends the connection. Edits made from now on wait for `reconnect()`. */
  disconnect() {
    this._link?.stop();
  }

  /** Connects again after `disconnect()`. */
  reconnect() {
    this._link?.start();
  }

  #portable() {
    const names = this._names().filter(key => !RESERVED.includes(key));
    return names.map(key => [key, this._entries.get(key)]).filter(([, { attributes }]) => !attributes.systemTags.includes('protected'));
  }
}
