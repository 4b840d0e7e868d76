// Tags: the user's own, and the system's, which only `accessLevel: 'system'` may change.
import { SYSTEM_TAGS, systemTags } from './attributes.js';
import { Keys, RESERVED } from './keys.js';

const REFUSED = 'MindCache: system tags are for instances with accessLevel "system"';

export class TaggedKeys extends Keys {
  #isSystem;

  constructor(options = {}) {
    super(options);
    this.#isSystem = ['system', 'admin'].includes(options.accessLevel);
  }

  get accessLevel() {
    return this.#isSystem ? 'system' : 'user';
  }

  get hasSystemAccess() {
    return this.#isSystem;
  }

  /** Adds a tag; true when the key is there and did not have it. */
  addTag(key, tag) {
    const tags = this._tags(key);
    if (!tags || tags.includes(tag)) return false;
    return this._setTags(key, [...tags, tag]);
  }

  removeTag(key, tag) {
    const tags = this._tags(key);
    if (!tags?.includes(tag)) return false;
    return this._setTags(key, tags.filter(other => other !== tag));
  }

  getTags(key) {
    return [...(this._tags(key) ?? [])];
  }

  hasTag(key, tag) {
    return this._tags(key)?.includes(tag) ?? false;
  }

  /** All tags, each once, in the order of the keys that have them. */
  getAllTags() {
    return [...new Set(this._names().flatMap(key => this._tags(key)))];
  }

  getKeysByTag(tag) {
    return this._names().filter(key => this._tags(key).includes(tag));
  }

  /** The tagged keys as `key: value`, also those that are not part of the prompt. */
  getTagged(tag) {
    return this.getKeysByTag(tag).map(key => `${key}: ${this._text(key)}`).join(', ');
  }

  systemAddTag(key, tag) {
    if (tag === 'readonly') return this.systemRemoveTag(key, 'LLMWrite');
    const tags = this.#mine(key);
    const [added] = systemTags([tag]);
    if (!tags || !added || tags.includes(added)) return false;
    return this.#setSystemTags(key, [...tags, added]);
  }

  /** Takes a system tag off; never `protected`. */
  systemRemoveTag(key, tag) {
    if (tag === 'readonly') return this.systemAddTag(key, 'LLMWrite');
    const tags = this.#mine(key);
    const [removed] = systemTags([tag]);
    if (!tags?.includes(removed) || removed === 'protected') return false;
    return this.#setSystemTags(key, tags.filter(other => other !== removed));
  }

  systemGetTags(key) {
    return [...(this.#mine(key) ?? [])];
  }

  systemHasTag(key, tag) {
    const tags = this.#mine(key);
    return Boolean(tags) && (tag === 'readonly' ? !tags.includes('LLMWrite') : tags.includes(systemTags([tag])[0]));
  }

  /** Makes these the system tags, `protected` included: this is how it is taken off. */
  systemSetTags(key, tags) {
    return this.#mine(key) ? this.#setSystemTags(key, systemTags(tags)) : false;
  }

  systemGetKeysByTag(tag) {
    if (!this.#may()) return [];
    return this._names().filter(key => this.systemHasTag(key, tag));
  }

  _tags(key) {
    return RESERVED.includes(key) ? undefined : this._entries.get(key)?.attributes.contentTags;
  }

  _setTags(key, contentTags) {
    this._change(key, { ...this._entries.get(key).attributes, contentTags });
    return true;
  }

  #may() {
    if (!this.#isSystem) console.warn(REFUSED);
    return this.#isSystem;
  }

  /** The system tags of a key for who may see and change them. */
  #mine(key) {
    return this.#may() ? this._entries.get(key)?.attributes.systemTags : undefined;
  }

  #setSystemTags(key, tags) {
    this._change(key, { ...this._entries.get(key).attributes, systemTags: SYSTEM_TAGS.filter(tag => tags.includes(tag)) });
    return true;
  }
}
