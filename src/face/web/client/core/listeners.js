// Who is told of changes: of one key, or of all.

/** Listeners of keys and of everything. One that throws is heard by who made the change. */
export class Listeners {
  #ofKey = new Map();
  #ofAll = new Set();

  /** Adds a listener of a key; answers with what takes it off. */
  add(key, listener) {
    if (!this.#ofKey.has(key)) this.#ofKey.set(key, new Set());
    this.#ofKey.get(key).add(listener);
    return () => this.remove(key, listener);
  }

  remove(key, listener) {
    const found = this.#ofKey.get(key);
    found?.delete(listener);
    if (found?.size === 0) this.#ofKey.delete(key);
  }

  addToAll(listener) {
    this.#ofAll.add(listener);
    return () => this.removeFromAll(listener);
  }

  removeFromAll(listener) {
    this.#ofAll.delete(listener);
  }

  tellKey(key, value) {
    for (const listener of [...(this.#ofKey.get(key) ?? [])]) listener(value);
  }

  tellAll() {
    for (const listener of [...this.#ofAll]) listener();
  }
}
