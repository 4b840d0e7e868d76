// Ties a MindCache to a server: runs the engine with a socket, timers and a storage, and tells the program.
import { difference, fresh } from '../core/attributes.js';
import { isSame } from '../core/keys.js';
import { Address } from './address.js';
import { browserStorage } from './browser-storage.js';
import { AGAIN_MS, Engine, LATER } from './engine.js';
import { coded, newReplica, Runner } from './runner.js';
import { Store } from './store.js';
import { readValue } from './values.js';
import { known } from './wire.js';

/** Connects a MindCache; a second time to the same instance goes on with what is there. */
export function connect(mc, config) {
  const address = new Address(config);
  if (mc._link?.address.name === address.name) {
    mc._link.address = address;
  } else {
    mc._link?.stop();
    mc._link = new Link(mc, config, address);
  }
  mc._link.start();
  return mc._link;
}

export class Link {
  #mc;
  #engine;
  #store;
  #runner;
  #isStarted = false;
  #isRestored = false;
  #hearing = { error: new Set(), conflict: new Set(), presence: new Set() };
  #waiting = [];

  /** What the engine asks for. */
  static #does = {
    save: link => link.#store.changed('edits'),
    moved: link => link.#store.changed('keys'),
    changed: (link, effect, own) => link.#changed(effect, own),
    state: link => link.#tell(() => link.#mc._listeners.tellAll()),
    loaded: link => link.#loaded(),
    error: (link, { error }) => link.#fail(error),
    conflict: (link, { conflict }) => link.#told('conflict', conflict),
    fetch: (link, effect) => link.#fetch(effect),
    presence: (link, { told }) => link.#told('presence', told),
  };

  constructor(mc, config, address) {
    this.#mc = mc;
    const replica = (config.replica ?? newReplica)();
    this.#engine = new Engine({ replica, random: config.random ?? Math.random });
    this.#runner = new Runner({
      line: this.#engine, address, config, replica, does: (effect, own) => Link.#does[effect.do](this, effect, own), done: () => this.#settle(),
    });
    this.#engine.seed([...mc._entries].map(([key, { value, attributes }]) => [key, { value: asJson(value), attributes }]));
    const storage = config.storage === undefined ? browserStorage(address.name) : config.storage;
    const states = { edits: () => this.#engine.saved(), keys: () => this.#engine.base.saved() };
    this.#store = new Store(storage, this.#runner.clock, states, error => this.#fail({ code: 'storage', message: error.message }));
    globalThis.addEventListener?.('pagehide', () => this.#store.finish());
    // A storage that answers at once tells of keys, which are to be read by way of this link.
    mc._link = this;
    this.#store.load(kept => {
      this.#isRestored = true;
      this.#runner.run(() => {
        const base = kept.keys?.log ? kept.keys : undefined;
        this.#engine.restore({ base, edits: kept.edits?.edits, instance: kept.edits?.instance });
      });
      if (this.#isStarted) this.#runner.start();
    });
  }

  get address() {
    return this.#runner.address;
  }

  set address(address) {
    this.#runner.address = address;
  }

  get connectionState() {
    return this.#engine.state;
  }

  get isLoaded() {
    return this.#engine.isLoaded;
  }

  get pending() {
    return this.#engine.queue.size;
  }

  /** `read`, `write` or `admin`, when connected. */
  get permission() {
    return this.#engine.permission;
  }

  get instanceId() {
    return this.#engine.base.instance;
  }

  versionOf = key => this.#engine.versionOf(key);

  view = key => this.#engine.view(key);

  start() {
    this.#isStarted = true;
    if (this.#isRestored) this.#runner.start();
  }

  stop() {
    this.#isStarted = false;
    this.#runner.stop();
    this.#store.finish();
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('MindCache: disconnected'));
  }

  disconnect() {
    this.stop();
  }

  /** An edit of the program. `entry` is the key before it. */
  edit(edit, entry) {
    const { kind, key, attributes = {} } = edit;
    const isNothing = kind === 'set' && entry && isSame(entry.value, edit.value) && Object.keys(attributes).length === 0;
    if (isNothing && edit.ifVersion === undefined && edit.ttlMs === undefined) return;
    const done = { ...edit, attributes: known(attributes) };
    if (done.kind === 'set') {
      // What the program does to an object later is no edit.
      done.value = asJson(edit.value);
      const type = attributes.type ?? entry?.attributes.type ?? edit.defaults?.type ?? fresh().type;
      if (type === 'text' && typeof done.value !== 'string') done.attributes.type = 'json';
    }
    this.#runner.run(() => this.#engine.edit(done, this.#runner.clock.now()), key);
  }

  /** Does an operation on the instance, now; answers with its result. Errors carry the `code` of the server. */
  call = (op, args) => this.#runner.call(op, args);

  loaded() {
    return this.isLoaded ? Promise.resolve() : this.#wait(() => this.isLoaded);
  }

  flushed() {
    const { turn } = this.#engine.queue;
    const isDone = () => this.#isRestored && this.#engine.queue.oldest > turn;
    return isDone() ? Promise.resolve() : this.#wait(isDone);
  }

  #wait(isDone) {
    return new Promise((resolve, reject) => this.#waiting.push({ isDone, resolve, reject }));
  }

  onError = listener => this.#hear('error', listener);

  onConflict = listener => this.#hear('conflict', listener);

  /** Hears who is connected, now and on each change. */
  onPresence(listener) {
    const end = this.#hear('presence', listener);
    this.#follow();
    return end;
  }

  #hear(what, listener) {
    this.#hearing[what].add(listener);
    return () => this.#hearing[what].delete(listener);
  }

  #follow() {
    if (this.#hearing.presence.size > 0 && this.#engine.phase === 'live') this.#runner.send('{"type":"presence","follow":true}');
  }

  #settle() {
    for (const waiting of this.#waiting.filter(({ isDone }) => isDone())) {
      this.#waiting = this.#waiting.filter(other => other !== waiting);
      waiting.resolve();
    }
  }

  #changed({ keys }, own) {
    const told = [];
    let isAny = false;
    for (const key of keys) {
      const [before, after] = [this.#mc._entries.get(key), this.#engine.view(key)];
      const isValue = isSame(before?.value, after?.value) && Boolean(before) === Boolean(after);
      if (isValue && (!before || isEqual(before.attributes, after.attributes))) continue;
      this.#mc._put(key, after);
      isAny = true;
      if (key !== own && !isValue) told.push(key);
    }
    for (const key of told) this.#tell(() => this.#mc._listeners.tellKey(key, this.#mc._entries.get(key)?.value));
    if (isAny && own === undefined) this.#tell(() => this.#mc._listeners.tellAll());
  }

  /** A listener that fails is its own matter: it must not stop the others, or the connection. */
  #tell(act) {
    try {
      act();
    } catch (error) {
      this.#fail({ code: 'listener', message: `A listener failed: ${error.message}`, cause: error });
    }
  }

  #fail({ code, message, ...more }) {
    const error = Object.assign(coded(code, message), more);
    const listeners = [...this.#hearing.error];
    if (listeners.length === 0 && code !== 'offline') console.error('MindCache:', message);
    for (const listener of listeners) {
      try {
        listener(error);
      } catch (failure) {
        console.error('MindCache: A listener of errors failed:', failure);
      }
    }
  }

  #fetch({ key, version }) {
    // An edit of ours may say another type, of what is not there yet.
    const type = this.#engine.base.records.get(key)?.attributes.type;
    const failed = error => {
      // After a loss all that is missing is asked for anew, and of a key that went the server tells.
      if (['offline', 'not_found'].includes(error.code)) return;
      if (LATER.includes(error.code)) this.#runner.clock.setTimeout(() => this.#fetch({ key, version }), AGAIN_MS);
      else this.#unread(key, version, `The value of "${key}" could not be read: ${error.message}`);
    };
    const arrived = value => value !== undefined && this.#runner.run(() => this.#engine.fetched(key, version, value, this.#runner.clock.now()));
    readValue((op, args) => this.call(op, args), { key, version, type }).then(arrived, failed);
  }

  #unread(key, version, message) {
    this.#fail({ code: 'fetch', message, key });
    this.#runner.run(() => this.#engine.unread(key, version, { code: 'fetch', message }, this.#runner.clock.now()));
  }

  #told(what, told) {
    for (const listener of [...this.#hearing[what]]) this.#tell(() => listener(told));
  }

  #loaded() {
    this.#follow();
    this.#tell(() => this.#mc._listeners.tellAll());
  }

}

/** A value as the server will have it; one that JSON cannot write is for who gave it to hear of. */
function asJson(value) {
  if (typeof value === 'string') return value;
  if (['function', 'symbol'].includes(typeof value)) throw new TypeError(`MindCache: a ${typeof value} cannot be sent`);
  return JSON.parse(JSON.stringify(value) ?? 'null');
}

const isEqual = (a, b) => [difference(a, b), difference(b, a)].every(left => Object.keys(left).length === 0);
