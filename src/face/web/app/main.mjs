// Where the page begins: gets in, finds the instance, follows it.
import { effect, html, render, untracked } from './vendor/ui.mjs';
import { about } from './net/api.mjs';
import { enter } from './net/login.mjs';
import { connection, go, instance, loadInstances, parse, place, why } from './state/app.mjs';
import { loadFacets } from './state/facets.mjs';
import { active, failure, lastChange, reload, selected, total } from './state/keys.mjs';
import { start, stop } from './state/live.mjs';
import { Shell } from './views/shell.mjs';

const root = document.getElementById('app');
root.replaceChildren();

/** Another instance: everything anew. */
async function enterInstance(name, page) {
  total.value = null;
  failure.value = null;
  lastChange.value = null;
  selected.value = new Set();
  active.value = null;
  connection.value = { state: 'loading' };
  const found = await reload({ at: place.peek().open, offset: 5 });
  if (name !== instance.peek()) return;
  loadFacets();
  start(name, found ? found.as_of_seq : null, page);
}

async function begin() {
  const refused = await enter();
  // The place may have been changed by the sign-in.
  place.value = parse(location.hash);
  render(html`<${Shell} />`, root);
  let page;
  try {
    ({ page } = await about());
    const all = await loadInstances();
    if (!instance.peek() && all.length <= 1) go({ instance: all[0]?.name || 'default' }, { replace: true });
  } catch (error) {
    if (error.code === 'signed_out') {
      why.value = refused;
      connection.value = { state: 'signed_out' };
      return;
    }
    failure.value = error.message;
  }
  effect(() => {
    document.title = place.value.instance ? `${place.value.instance} · mindcache` : 'mindcache';
  });
  let shown = null;
  let asked = null;
  effect(() => {
    const { instance: name, filter, order } = place.value;
    const query = JSON.stringify([filter, order]);
    if (name === null) {
      shown = null;
      stop();
    } else if (name !== shown) {
      shown = name;
      asked = query;
      untracked(() => enterInstance(name, page));
    } else if (query !== asked) {
      asked = query;
      active.value = null;
      untracked(() => reload());
    }
  });
}

begin();
