// The rows that the page knows, beside a plain list: they never disagree, whatever comes and goes.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const module = join(dirname(fileURLToPath(import.meta.url)), '../../src/face/web/app/state/window.mjs');

/** The same numbers in each run. */
function chance(seed) {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export const model = {
  'the known rows agree with a plain list': async () => {
    const { Window, before } = await import(pathToFileURL(module));
    const inOrder = (a, b) => (a.key === b.key ? 0 : before(a.key, b.key) ? -1 : 1);
    const names = ['a', 'b', 'é', '\uffff', '😀', '\ue000', 'ab', 'z/1', 'z/10', 'Z'];
    const bytes = name => Buffer.from(name);
    for (const x of names) for (const y of names) assert.equal(before(x, y), Buffer.compare(bytes(x), bytes(y)) < 0, `${x} ${y}`);
    let steps = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const next = chance(seed);
      const list = Array.from({ length: next(60) }, (_, n) => ({ key: `k${String(n * 7).padStart(4, '0')}`, version: 1 }));
      const known = new Window();
      known.total = list.length;
      for (let step = 0; step < 80; step++, steps++) {
        const deed = next(10);
        if (deed < 4) {
          const start = next(list.length + 1);
          known.put(start, list.slice(start, start + 1 + next(12)));
        } else if (deed < 7) {
          const row = { key: `k${String(next(450)).padStart(4, '0')}`, version: step + 2 };
          const at = list.findIndex(each => each.key === row.key);
          if (at >= 0) {
            list[at] = row;
            known.replace(row);
          } else {
            list.push(row);
            list.sort(inOrder);
            known.insert(row);
          }
        } else if (list.length) {
          const [gone] = list.splice(next(list.length), 1);
          known.remove(gone.key);
        }
        assert.equal(known.total, list.length);
        for (let rank = 0; rank < list.length; rank++) {
          const row = known.row(rank);
          if (row) assert.deepEqual(row, list[rank], `seed ${seed}, step ${step}, rank ${rank}`);
        }
      }
    }
    return `${steps} steps`;
  },
};
