// The storage of browsers: a place for each tab, and what a tab leaves is not lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';

const { TabStorage } = await import(new URL('node_modules/mindcache/sync/browser-storage.js', import.meta.url));

/** What tabs of one origin share: items, and locks that a closed tab gives back. */
class Origin {
  #items = new Map();
  #held = new Map();

  get length() {
    return this.#items.size;
  }

  key = at => [...this.#items.keys()][at];
  getItem = name => this.#items.get(name) ?? null;
  setItem = (name, text) => { this.#items.set(name, text); };
  removeItem = name => { this.#items.delete(name); };

  tab(name = 'instance') {
    const tab = {};
    const request = async (lock, { ifAvailable }, act) => {
      assert.equal(ifAvailable, true);
      if (this.#held.has(lock)) return act(null);
      this.#held.set(lock, tab);
      return act({ name: lock });
    };
    tab.storage = new TabStorage(name, this, { request });
    tab.close = () => { for (const [lock, by] of this.#held) if (by === tab) this.#held.delete(lock); };
    return tab;
  }
}

const edits = (...ids) => JSON.stringify({ v: 1, instance: 'i', edits: ids.map(id => ({ id })) });
const ids = text => JSON.parse(text).edits.map(({ id }) => id);

test('a tab that comes again has what it left', async () => {
  const origin = new Origin();
  const tab = origin.tab();
  assert.deepEqual([await tab.storage.load('edits'), await tab.storage.load('keys')], [null, null]);
  await tab.storage.save('edits', edits('a'));
  await tab.storage.save('keys', 'k');
  tab.close();
  const next = origin.tab();
  assert.deepEqual([ids(await next.storage.load('edits')), await next.storage.load('keys')], [['a'], 'k']);
});

test('tabs that are open at once have places of their own, and so have instances', async () => {
  const origin = new Origin();
  const [one, two, other] = [origin.tab(), origin.tab(), origin.tab('other')];
  await one.storage.save('edits', edits('one'));
  await two.storage.save('edits', edits('two'));
  assert.deepEqual([await other.storage.load('edits'), await two.storage.load('edits')], [null, null]);
  two.close();
  assert.deepEqual(ids(await origin.tab().storage.load('edits')), ['two']);
});

test('the next tab takes what several left, once', async () => {
  const origin = new Origin();
  const tabs = [origin.tab(), origin.tab(), origin.tab()];
  for (const [at, tab] of tabs.entries()) await tab.storage.save('edits', edits(`${at}`));
  for (const tab of tabs) tab.close();
  const next = origin.tab();
  assert.deepEqual(ids(await next.storage.load('edits')), ['0', '1', '2']);
  const late = origin.tab();
  assert.equal(await late.storage.load('edits'), null);
  next.close();
  late.close();
  assert.deepEqual(ids(await origin.tab().storage.load('edits')), ['0', '1', '2'], 'also when the next one closes before it saved');
});

test('without locks nothing is kept, because nobody knows who is alive', async () => {
  const storage = new TabStorage('instance', new Origin(), undefined);
  await storage.save('edits', edits('a'));
  assert.equal(await storage.load('edits'), null);
});
