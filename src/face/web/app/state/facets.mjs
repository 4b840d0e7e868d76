// By what the keys can be narrowed down. Counted by the server; asked again a while after something changed.
import { signal } from '../vendor/ui.mjs';
import { op } from '../net/api.mjs';
import { instance } from './app.mjs';

export const facets = signal({ types: [], tags: [], writers: [], total: 0 });

let asked = 0;
let timer = null;

export async function loadFacets() {
  const mine = ++asked;
  const name = instance.peek();
  try {
    const found = await op(name, 'key_facets', {});
    if (mine === asked && name === instance.peek()) facets.value = found;
  } catch {
    // The counts that are shown are older: the list says what is wrong with the connection.
  }
}

/** Under a stream of writes, once a second. */
export function facetsChanged() {
  timer ??= setTimeout(() => {
    timer = null;
    loadFacets();
  }, 1000);
}
