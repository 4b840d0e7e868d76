// Keeps what was not acknowledged, and what the server had said, where there is a storage. Edits are written soon, keys
// when it is quiet: the log tells what is missing of keys.

const FORMAT = 1;
/** Milliseconds after which a change is written. */
const SOON_MS = { edits: 20, keys: 1_000 };

export class Store {
  #storage;
  #clock;
  #states;
  #failed;
  /** By part: the timer, and whether it is being written. */
  #timers = {};
  #writing = {};

  /** `states` gives what a part is now; `failed` hears of errors. */
  constructor(storage, clock, states, failed) {
    this.#storage = storage;
    this.#clock = clock;
    this.#states = states;
    this.#failed = failed;
  }

  /** What was kept, to `then`: at once when the storage answers at once. */
  load(then) {
    if (!this.#storage) return then({});
    const part = name => this.#storage.load(name);
    try {
      const [edits, keys] = [part('edits'), part('keys')];
      if (typeof edits?.then !== 'function' && typeof keys?.then !== 'function') return then(this.#read(edits, keys));
      return Promise.all([edits, keys]).then(both => this.#read(...both), error => this.#lost(error)).then(then);
    } catch (error) {
      return then(this.#lost(error));
    }
  }

  #lost(error) {
    this.#failed(error);
    return {};
  }

  #read(...texts) {
    try {
      const [edits, keys] = texts.map(text => (text ? JSON.parse(text) : null));
      const isOurs = part => part?.v === FORMAT;
      return { edits: isOurs(edits) ? edits : undefined, keys: isOurs(keys) ? keys : undefined };
    } catch (error) {
      return this.#lost(error);
    }
  }

  /** A part has changed. */
  changed(part) {
    if (this.#storage) this.#timers[part] ??= this.#clock.setTimeout(() => this.write(part), SOON_MS[part]);
  }

  /** Writes a part now; again after that if it changes meanwhile. */
  write(part) {
    if (!this.#storage) return;
    this.#clock.clearTimeout(this.#timers[part]);
    this.#timers[part] = undefined;
    if (this.#writing[part]) {
      this.changed(part);
      return;
    }
    try {
      const writing = this.#storage.save(part, JSON.stringify({ v: FORMAT, ...this.#states[part]() }));
      if (typeof writing?.then !== 'function') return;
      this.#writing[part] = true;
      writing.then(() => {}, this.#failed).then(() => { this.#writing[part] = false; });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Writes what has changed and not been written. */
  finish() {
    for (const part of Object.keys(SOON_MS)) if (this.#timers[part] !== undefined) this.write(part);
  }
}
