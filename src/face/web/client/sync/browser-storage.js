// The storage of browsers: `localStorage`, a place for each tab. A tab that is gone leaves its edits to the next one.

const PREFIX = 'mindcache';

/** The storage of this tab for a name; null where there is none, as in Node. */
export function browserStorage(name) {
  if (typeof document === 'undefined' || !globalThis.localStorage) return null;
  return new TabStorage(`${PREFIX} ${name}`, globalThis.localStorage, globalThis.navigator?.locks);
}

export class TabStorage {
  #name;
  #items;
  #locks;
  #place = null;

  /** `items` as `localStorage`, `locks` as `navigator.locks`: who holds the lock of a place is alive. */
  constructor(name, items, locks) {
    this.#name = name;
    this.#items = items;
    this.#locks = locks;
  }

  async load(part) {
    this.#place ??= this.#take();
    return (await this.#place).kept[part] ?? null;
  }

  async save(part, text) {
    this.#place ??= this.#take();
    const { number } = await this.#place;
    if (number !== null) this.#items.setItem(this.#item(number, part), text);
  }

  /** The first place that is free, with what was left in it and in the other free ones. */
  async #take() {
    // Without locks nobody knows who is alive, so nothing is kept.
    if (!this.#locks) return { number: null, kept: {} };
    const found = { number: null, kept: {} };
    const used = this.#used();
    for (let number = 0; found.number === null || number <= used; number += 1) {
      if (!(await this.#isFree(number))) continue;
      if (found.number === null) {
        found.number = number;
        found.kept = { edits: this.#read(number, 'edits'), keys: this.#read(number, 'keys') };
      } else {
        found.kept.edits = joined(found.kept.edits, this.#read(number, 'edits'));
        this.#items.setItem(this.#item(found.number, 'edits'), found.kept.edits ?? '');
        for (const part of ['edits', 'keys']) this.#items.removeItem(this.#item(number, part));
      }
    }
    return found;
  }

  /** The largest number of a place in which something was left. */
  #used() {
    let used = -1;
    for (let at = 0; at < this.#items.length; at += 1) {
      const [name, rest] = this.#items.key(at).split('\n');
      if (name === this.#name && rest) used = Math.max(used, Number.parseInt(rest, 10));
    }
    return used;
  }

  /** Takes the lock of a place for as long as the tab lives. */
  #isFree(number) {
    return new Promise(resolve => {
      this.#locks.request(`${this.#name} ${number}`, { ifAvailable: true }, lock => {
        resolve(lock !== null);
        return lock && new Promise(() => {});
      });
    });
  }

  #item = (number, part) => `${this.#name}\n${number} ${part}`;

  #read = (number, part) => this.#items.getItem(this.#item(number, part));
}

/** The edits of two tabs, one after the other. */
function joined(ours, theirs) {
  if (!ours || !theirs) return ours || theirs;
  const [first, second] = [JSON.parse(ours), JSON.parse(theirs)];
  return JSON.stringify({ ...first, edits: [...first.edits, ...second.edits] });
}
