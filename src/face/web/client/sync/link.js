// Ties a MindCache to a server: runs the engine with a socket, timers and a storage, and tells the program.
import { difference, fresh } from '../core/attributes.js';
import { isSame } from '../core/keys.js';
import { Address, Refusal } from './address.js';
import { browserStorage } from './browser-storage.js';
import { AGAIN_MS, Engine, LATER } from './engine.js';
import { Store } from './store.js';
import { readValue } from './values.js';
import { known } from './wire.js';

const CLOCK = {
  now: () => performance.now(),
  setTimeout: (act, ms) => setTimeout(act, ms),
  clearTimeout: timer => clearTimeout(timer),
};

/** An id that no other start of any client has. */
const newReplica = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(16).padStart(2, '0')).join('');

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
  #clock;
  #WebSocket;
  #socket = null;
  #timer;
  #isStarted = false;
  #isRestored = false;
  #calls = new Map();
  #callCount = 0;
  #abort = null;
  #hearing = { error: new Set(), conflict: new Set(), presence: new Set() };
  #waiting = [];

  /** What the engine asks for. */
  static #does = {
    open: (link, effect) => link.#open(effect),
    close: link => link.#close(),
    send: (link, { text }) => link.#socket?.send(text),
    save: link => link.#store.changed('edits'),
    moved: link => link.#store.changed('keys'),
    changed: (link, effect, own) => link.#changed(effect, own),
    state: link => link.#tell(() => link.#mc._listeners.tellAll()),
    loaded: link => link.#loaded(),
    error: (link, { error }) => link.#fail(error),
    conflict: (link, { conflict }) => link.#told('conflict', conflict),
    fetch: (link, effect) => link.#fetch(effect),
    result: (link, effect) => link.#result(effect),
    presence: (link, { told }) => link.#told('presence', told),
  };

  constructor(mc, config, address) {
    this.#mc = mc;
    this.address = address;
    this.#clock = config.clock ?? CLOCK;
    this.#WebSocket = config.WebSocket ?? globalThis.WebSocket;
    if (!this.#WebSocket) throw new TypeError('MindCache: there is no WebSocket here; Node has one from version 22 on');
    this.#engine = new Engine({ replica: (config.replica ?? newReplica)(), random: config.random ?? Math.random });
    this.#engine.seed(mc._entries);
    const storage = config.storage === undefined ? browserStorage(address.name) : config.storage;
    const states = { edits: () => this.#engine.saved(), keys: () => this.#engine.base.saved() };
    this.#store = new Store(storage, this.#clock, states, error => this.#fail({ code: 'storage', message: error.message }));
    globalThis.addEventListener?.('pagehide', () => this.#store.finish());
    globalThis.addEventListener?.('online', () => this.#run(() => this.#engine.hurry(this.#clock.now())));
    this.#store.load(kept => {
      this.#isRestored = true;
      this.#run(() => {
        const base = kept.keys?.log ? kept.keys : undefined;
        this.#engine.restore({ base, edits: kept.edits?.edits, instance: kept.edits?.instance });
        if (this.#isStarted) this.#engine.start(this.#clock.now());
      });
    });
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
    if (this.#isRestored) this.#run(() => this.#engine.start(this.#clock.now()));
  }

  stop() {
    this.#isStarted = false;
    this.#run(() => this.#engine.stop());
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
      done.value = edit.value === undefined ? null : structuredClone(done.value);
      const type = attributes.type ?? entry?.attributes.type ?? edit.defaults?.type ?? fresh().type;
      if (type === 'text' && typeof done.value !== 'string') done.attributes.type = 'json';
    }
    this.#run(() => this.#engine.edit(done, this.#clock.now()), key);
  }

  /** Does an operation on the instance, now; answers with its result. Errors carry the `code` of the server. */
  call(op, args = {}) {
    if (this.#engine.phase !== 'live') return Promise.reject(coded('offline', 'There is no connection'));
    this.#callCount += 1;
    const opId = `${this.#engine.queue.replica}-call-${this.#callCount}`;
    return new Promise((resolve, reject) => {
      this.#calls.set(opId, { resolve, reject });
      this.#socket.send(JSON.stringify({ type: 'call', op, args, opId }));
    });
  }

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
    if (this.#hearing.presence.size > 0 && this.#engine.phase === 'live') this.#socket.send('{"type":"presence","follow":true}');
  }

  /** Does something with the engine, and then what that calls for. `own` is the key that the program itself changes. */
  #run(act, own) {
    act();
    let effects = this.#engine.take();
    while (effects.length > 0) {
      for (const effect of effects) Link.#does[effect.do](this, effect, own);
      effects = this.#engine.take();
    }
    this.#clock.clearTimeout(this.#timer);
    const { deadline } = this.#engine;
    if (deadline !== Infinity) this.#timer = this.#clock.setTimeout(() => this.#tick(), Math.max(0, deadline - this.#clock.now()));
    for (const waiting of this.#waiting.filter(({ isDone }) => isDone())) {
      this.#waiting = this.#waiting.filter(other => other !== waiting);
      waiting.resolve();
    }
  }

  #tick() {
    this.#run(() => this.#engine.tick(this.#clock.now()));
  }

  #open({ resume }) {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const now = () => this.#clock.now();
    const failed = error => {
      if (!signal.aborted) this.#run(() => this.#engine.failed(now(), error.message, error instanceof Refusal));
    };
    const open = token => {
      if (!signal.aborted) this.#attach(new this.#WebSocket(this.address.socket(token, resume)), signal);
    };
    try {
      const token = this.address.token(signal);
      if (typeof token?.then === 'function') token.then(open).catch(failed);
      else open(token);
    } catch (error) {
      failed(error);
    }
  }

  #attach(socket, signal) {
    this.#socket = socket;
    const during = act => event => {
      if (!signal.aborted) this.#run(() => act(event));
    };
    socket.onmessage = during(({ data }) => this.#engine.message(JSON.parse(data), this.#clock.now()));
    socket.onclose = during(({ code, reason }) => this.#closed(code, reason));
    // A close follows, which says more.
    socket.onerror = () => {};
  }

  #closed(code, reason) {
    this.#detach();
    this.#engine.closed(this.#clock.now(), code, reason);
  }

  #detach() {
    this.#abort?.abort();
    this.#socket = null;
    for (const [id, { reject }] of this.#calls) {
      this.#calls.delete(id);
      reject(coded('offline', 'The connection was lost'));
    }
  }

  #close() {
    const socket = this.#socket;
    this.#detach();
    socket?.close();
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
    for (const listener of listeners) listener(error);
  }

  #fetch({ key, version }) {
    const type = this.#engine.view(key)?.attributes.type;
    const failed = error => {
      // After a loss all that is missing is asked for anew, and of a key that went the server tells.
      if (['offline', 'not_found'].includes(error.code)) return;
      if (LATER.includes(error.code)) this.#clock.setTimeout(() => this.#fetch({ key, version }), AGAIN_MS);
      else this.#fail({ code: 'fetch', message: `The value of "${key}" could not be read: ${error.message}`, key });
    };
    const arrived = value => value !== undefined && this.#run(() => this.#engine.fetched(key, version, value));
    readValue((op, args) => this.call(op, args), { key, version, type }).then(arrived, failed);
  }

  #result({ opId, result, error }) {
    const call = this.#calls.get(opId);
    this.#calls.delete(opId);
    if (error) call?.reject(coded(error.code, error.message));
    else call?.resolve(result);
  }

  #told(what, told) {
    for (const listener of [...this.#hearing[what]]) this.#tell(() => listener(told));
  }

  #loaded() {
    this.#follow();
    this.#tell(() => this.#mc._listeners.tellAll());
  }

}

const isEqual = (a, b) => [difference(a, b), difference(b, a)].every(left => Object.keys(left).length === 0);

const coded = (code, message) => Object.assign(new Error(message), { code });
