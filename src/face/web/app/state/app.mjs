// What the whole page knows: where it is, how the connection is, what is said to the reader.
import { computed, signal } from '../vendor/ui.mjs';
import { op } from '../net/api.mjs';

const ORDERS = ['name', 'recent'];

/** The place in the address: instance, filters and the open key. */
export const place = signal(parse(location.hash));

/** `loading`, `live`, `behind`, `lost`, `stopped` or `signed_out`; with what belongs to it. */
export const connection = signal({ state: 'loading' });
export const instances = signal([]);
export const updated = signal(false);
/** One line with perhaps a button: `{text, action, run, until}`. */
export const toast = signal(null);
/** For screen readers. */
export const spoken = signal('');
/** The time, moved on now and then: ages are shown by it. */
export const clock = signal(Date.now());
export const helpOpen = signal(false);
export const creating = signal(null);
export const why = signal(null);

export const instance = computed(() => place.value.instance);

/** The place that an address names. */
export function parse(hash) {
  const [path, query = ''] = hash.slice(1).split('?');
  const parts = path.split('/').filter(Boolean).map(part => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const asked = new URLSearchParams(query);
  const filter = {};
  for (const name of ['match', 'tag', 'type', 'by']) filter[name] = asked.get(name) || '';
  const order = ORDERS.includes(asked.get('order')) ? asked.get('order') : 'name';
  const found = parts[0] === 'i' && parts[1] ? parts[1] : null;
  return { instance: found, filter, order, open: asked.get('open') };
}

function address({ instance: name, filter, order, open }) {
  if (!name) return '#/';
  const asked = new URLSearchParams();
  for (const [part, value] of Object.entries(filter)) if (value) asked.set(part, value);
  if (order !== 'name') asked.set('order', order);
  if (open !== null) asked.set('open', open);
  const query = asked.toString();
  return `#/i/${encodeURIComponent(name)}/keys${query ? `?${query}` : ''}`;
}

/** Goes somewhere; typing replaces the entry of the history, opening makes one. */
export function go(change, { replace = false } = {}) {
  const next = { ...place.peek(), ...change };
  const to = address(next);
  if (to === address(place.peek())) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  place.value = next;
}

export const narrow = (change, options) => go({ filter: { ...place.peek().filter, ...change } }, options);

addEventListener('popstate', () => {
  place.value = parse(location.hash);
});

export async function loadInstances() {
  const all = [];
  let cursor;
  do {
    const page = await op('default', 'instance_list', { limit: 1000, ...(cursor ? { cursor } : {}) });
    all.push(...page.instances);
    cursor = page.next_cursor;
  } while (cursor);
  instances.value = all;
  return all;
}

let toastTimer;
/** Says something for a while, with a way to take it back. */
export function say(text, { action, run, seconds = 10 } = {}) {
  clearTimeout(toastTimer);
  toast.value = { text, action, run };
  toastTimer = setTimeout(() => {
    toast.value = null;
  }, seconds * 1000);
}

export function hush() {
  clearTimeout(toastTimer);
  toast.value = null;
}

let lastSpoken = 0;
let waiting = null;
/** Tells a screen reader, at most every five seconds; what comes meanwhile replaces what waits. */
export function speak(text) {
  const rest = 5000 - (Date.now() - lastSpoken);
  clearTimeout(waiting);
  const now = () => {
    lastSpoken = Date.now();
    spoken.value = text;
  };
  if (rest <= 0) now();
  else waiting = setTimeout(now, rest);
}

const tick = () => {
  clock.value = Date.now();
};
setInterval(tick, 1000);

/** Light, dark, or as the machine has it. */
const THEME = 'mc_theme';
export const theme = signal(localStorage.getItem(THEME) || '');
export function applyTheme() {
  document.documentElement.dataset.theme = theme.value;
}
export function switchTheme() {
  const isDark = theme.peek() ? theme.peek() === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  theme.value = isDark ? 'light' : 'dark';
  localStorage.setItem(THEME, theme.value);
  applyTheme();
}
