// Keys with their values and attributes, and who is told of their changes. Everything else is built on these.
import { difference, fresh, merged, named, shown } from './attributes.js';
import { base64Of, checkContentType, dataUrl, isBinary } from './binary.js';
import { Listeners } from './listeners.js';
import { byName } from './order.js';
import { asText, expand } from './template.js';

/** Names that are computed when they are read, and can be neither written nor deleted. */
export const RESERVED = ['$date', '$time'];

const RESERVED_ATTRIBUTES = {
  type: 'text', contentTags: [], systemTags: ['SystemPrompt', 'protected'], zIndex: 999999,
  readonly: true, visible: true, hardcoded: true, template: false, tags: [],
};

const two = number => String(number).padStart(2, '0');

/** Whether two JSON values are the same. */
export const isSame = (a, b) => a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));

export class Keys {
  /** By name: `{value, attributes}`, never changed in place. */
  _entries = new Map();
  _listeners = new Listeners();
  /** What carries edits to a server, when there is one. */
  _link = null;
  #sorted = null;

  constructor(options = {}) {
    this._newKeyTags = options.defaultSystemTags;
    this._now = options.now ?? (() => new Date());
  }

  get_value(key) {
    if (RESERVED.includes(key)) return this._reserved(key);
    const entry = this._entries.get(key);
    if (!entry || !this._isTemplate(entry)) return entry?.value;
    return expand(entry.value, name => this._marker(name), [key]);
  }

  get(key) {
    return this.get_value(key);
  }

  /** Sets a value; attributes that are not named stay. `options`: `ifVersion`, `ttlMs`, for instances on a server. */
  set_value(key, value, attributes, options) {
    if (RESERVED.includes(key)) return;
    const entry = this._entries.get(key);
    const defaults = entry ? undefined : fresh(this._newKeyTags);
    const after = merged(entry?.attributes ?? defaults, attributes);
    const said = entry ? difference(entry.attributes, after) : named(after, attributes);
    this._link?.edit({ kind: 'set', key, value, attributes: said, defaults, ...options }, entry);
    this._put(key, { value, attributes: after });
    this._tell(key);
  }

  set(key, value, attributes, options) {
    this.set_value(key, value, attributes, options);
  }

  has(key) {
    return RESERVED.includes(key) || this._entries.has(key);
  }

  /** Deletes a key; false when there is none, or when it is protected. */
  delete(key) {
    const entry = this._entries.get(key);
    if (!entry || entry.attributes.systemTags.includes('protected')) return false;
    this._link?.edit({ kind: 'delete', key }, entry);
    this._put(key, undefined);
    this._listeners.tellAll();
    this._listeners.tellKey(key, undefined);
    return true;
  }

  /** Deletes every key that is not protected. On a server: those that this client knows of. */
  clear() {
    this._replace(new Map());
  }

  /** Sets several values at once. Attributes of keys that are there stay. */
  update(values) {
    for (const [key, value] of Object.entries(values)) {
      if (RESERVED.includes(key)) continue;
      const entry = this._entries.get(key);
      const defaults = entry ? undefined : fresh(this._newKeyTags);
      const attributes = entry?.attributes ?? defaults;
      this._link?.edit({ kind: 'set', key, value, attributes: {}, defaults }, entry);
      this._put(key, { value, attributes });
      this._listeners.tellKey(key, value);
    }
    this._listeners.tellAll();
  }

  get_attributes(key) {
    if (RESERVED.includes(key)) return structuredClone(RESERVED_ATTRIBUTES);
    const entry = this._entries.get(key);
    return entry && shown(entry.attributes);
  }

  /** Changes attributes; false when there is no such key. Whether a key is protected is for the system tags to say. */
  set_attributes(key, attributes) {
    const entry = this._entries.get(key);
    if (!entry) return false;
    const { hardcoded: _, ...said } = attributes;
    const isProtected = entry.attributes.systemTags.includes('protected');
    if (said.systemTags && !isProtected) said.systemTags = said.systemTags.filter(tag => !['protected', 'hardcoded'].includes(tag));
    this._change(key, merged(entry.attributes, said));
    return true;
  }

  set_base64(key, base64, contentType, type = 'file', attributes = {}) {
    checkContentType(type, contentType);
    this.set_value(key, base64, { ...attributes, type, contentType });
  }

  add_image(key, base64, contentType = 'image/jpeg', attributes = {}) {
    this.set_base64(key, base64, contentType, 'image', attributes);
  }

  get_base64(key) {
    const entry = this._entries.get(key);
    return entry && isBinary(entry.attributes.type) && entry.value !== undefined ? base64Of(entry.value) : undefined;
  }

  get_data_url(key) {
    const entry = this._entries.get(key);
    const contentType = entry?.attributes.contentType;
    if (!contentType || !isBinary(entry.attributes.type) || entry.value === undefined) return undefined;
    return dataUrl(String(entry.value), contentType);
  }

  size() {
    return this._entries.size + RESERVED.length;
  }

  /** Names: by `zIndex`, then by their bytes; the reserved ones come last. */
  keys() {
    return [...this._names(), ...RESERVED];
  }

  values() {
    return this.entries().map(([, value]) => value);
  }

  /** Names and values as they are stored, templates not expanded. */
  entries() {
    return [...this._names().map(key => [key, this._entries.get(key).value]), ...RESERVED.map(key => [key, this._reserved(key)])];
  }

  getAll() {
    return Object.fromEntries(this.entries());
  }

  subscribe(key, listener) {
    return this._listeners.add(key, listener);
  }

  unsubscribe(key, listener) {
    this._listeners.remove(key, listener);
  }

  subscribeToAll(listener) {
    return this._listeners.addToAll(listener);
  }

  unsubscribeFromAll(listener) {
    this._listeners.removeFromAll(listener);
  }

  /** A text with its markers replaced. Keys that are not part of the prompt give nothing. */
  injectSTM(template) {
    return expand(String(template), (name, depth) => this._marker(name, depth === 0));
  }

  /** The names in their order, without the reserved ones. */
  _names() {
    const place = name => this._entries.get(name).attributes.zIndex;
    this.#sorted ??= [...this._entries.keys()].sort((a, b) => place(a) - place(b) || byName(a, b));
    return this.#sorted;
  }

  _reserved(key) {
    const now = this._now();
    if (key === '$date') return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
    return `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
  }

  _isTemplate({ value, attributes }) {
    return typeof value === 'string' && attributes.systemTags.includes('ApplyTemplate') && !attributes.systemTags.includes('protected');
  }

  /** What a marker names, for `expand`. */
  _marker(name, visibleOnly = false) {
    if (RESERVED.includes(name)) return { value: this._reserved(name) };
    const entry = this._entries.get(name);
    if (!entry) return undefined;
    if (isBinary(entry.attributes.type)) return { stays: true };
    if (visibleOnly && !entry.attributes.systemTags.includes('SystemPrompt')) return undefined;
    return { value: entry.value, isTemplate: this._isTemplate(entry) };
  }

  /** A value as a text shows it, templates expanded. */
  _text(key) {
    return asText(this.get_value(key));
  }

  /** Puts an entry in its place, or takes it away. Nobody is told. With a server, what it and our edits give stands. */
  _put(key, given) {
    const before = this._entries.get(key);
    const entry = this._link ? this._link.view(key) : given;
    if (!entry) this._entries.delete(key);
    else this._entries.set(key, entry);
    if (!before || !entry || before.attributes.zIndex !== entry.attributes.zIndex) this.#sorted = null;
  }

  /** Gives a key other attributes, and tells whoever listens to everything. */
  _change(key, attributes) {
    const entry = this._entries.get(key);
    const said = difference(entry.attributes, attributes);
    if (Object.keys(said).length > 0) this._link?.edit({ kind: 'attributes', key, attributes: said }, entry);
    this._put(key, { value: entry.value, attributes });
    this._listeners.tellAll();
  }

  _tell(key) {
    this._listeners.tellKey(key, this._entries.get(key)?.value);
    this._listeners.tellAll();
  }

  /** Makes these the entries; what is protected stays. Only what differs is an edit. */
  _replace(entries) {
    const told = new Map();
    for (const [key, entry] of [...this._entries]) {
      if (entries.has(key) || entry.attributes.systemTags.includes('protected')) continue;
      this._link?.edit({ kind: 'delete', key }, entry);
      this._put(key, undefined);
      told.set(key, undefined);
    }
    for (const [key, { value, attributes }] of entries) {
      const entry = this._entries.get(key);
      if (entry?.attributes.systemTags.includes('protected')) continue;
      const said = entry ? difference(entry.attributes, attributes) : attributes;
      this._link?.edit({ kind: 'set', key, value, attributes: said }, entry);
      this._put(key, { value, attributes });
      if (!entry || !isSame(entry.value, value)) told.set(key, value);
    }
    for (const [key, value] of told) this._listeners.tellKey(key, value);
    this._listeners.tellAll();
  }
}
