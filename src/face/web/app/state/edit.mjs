// One open key: what it is, what was typed into it, and how the two come together.
import { batch, computed, signal } from '../vendor/ui.mjs';
import { freshId, op, rawValue } from '../net/api.mjs';
import { connection, go, instance, say, speak } from './app.mjs';
import { changed, draftOf, dropDraft, keepDraft, waiting } from './drafts.mjs';
import { listeners, onBack } from './live.mjs';

const EDITABLE = 1024 * 1024;

/** The open key, or nothing. `saved` is clean, dirty, saving, saved, waiting or refused. */
export const opened = signal(null);
export const history = signal(null);
export const picture = signal(null);

export const isDirty = computed(() => ['dirty', 'waiting', 'refused', 'saving'].includes(opened.value?.saved));
/** Keys of this instance that are on their way to the server, or wait for it: their rows say so. As text, to be compared. */
const unsaved = computed(() => {
  changed.value;
  const { key, saved } = opened.value ?? {};
  const waits = waiting().filter(each => each.instance === instance.value).map(each => each.key);
  return JSON.stringify(saved === 'saving' ? [...waits, key] : waits);
});
export const unsavedKeys = computed(() => new Set(JSON.parse(unsaved.value)));
export const isBinary = type => type === 'image' || type === 'file';

const patch = change => {
  if (opened.peek()) opened.value = { ...opened.peek(), ...change };
};
const isStill = key => opened.peek()?.key === key;

/** Where a JSON text breaks, in words; nothing where it does not. */
export function jsonFault(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    let [, line, column] = /line (\d+) column (\d+)/.exec(error.message) || [];
    const position = /position (\d+)/.exec(error.message)?.[1];
    if (!line) {
      const before = text.slice(0, position === undefined ? text.length : Number(position)).split('\n');
      [line, column] = [before.length, before.at(-1).length + 1];
    }
    const what = error.message.replace(/^JSON\.parse: /, '').replace(/,? ?(in JSON )?at (position|line).*$/, '')
      .replace(/, "[\s\S]*is not valid JSON$/, '');
    return `Not valid JSON: line ${line}, column ${column}: ${what}`;
  }
}

export async function openKey(key) {
  freePicture();
  history.value = null;
  if (key === null) {
    opened.value = null;
    return;
  }
  opened.value = { key, status: 'loading' };
  await load(key);
}

async function read(key, offset) {
  const name = instance.peek();
  const [piece, browsed] = await Promise.all([
    op(name, 'read_key', offset ? { key, offset } : { key }),
    offset ? null : op(name, 'key_browse', { at: key, limit: 1 }),
  ]);
  const row = browsed?.keys.find(each => each.key === key);
  return { piece, row };
}

async function load(key, { keepText = false } = {}) {
  const name = instance.peek();
  const draft = draftOf(name, key);
  try {
    const { piece, row } = await read(key);
    if (!isStill(key)) return;
    const text = isBinary(piece.type) ? '' : piece.value;
    const common = {
      key, status: 'ready', view: piece, row, base: piece.version, stored: text, type: piece.type, goneBy: null,
      next: isBinary(piece.type) ? null : piece.next_offset ?? null,
    };
    const isOther = draft && draft.text !== text;
    if (draft && !isOther) dropDraft(name, key);
    batch(() => {
      if (isOther && draft.base !== piece.version) {
        opened.value = { ...common, text: draft.text, saved: 'dirty', once: draft.once, conflict: conflictWith(piece, row) };
      } else if (isOther) {
        const saved = draft.waiting ? 'waiting' : 'dirty';
        opened.value = { ...common, text: draft.text, saved, once: draft.once, fault: faultOf(piece.type, draft.text) };
      } else opened.value = { ...common, text, saved: keepText ? 'saved' : 'clean' };
    });
    if (piece.type === 'image') showPicture(key);
    loadHistory(key);
  } catch (error) {
    if (!isStill(key)) return;
    if (error.code === 'not_found' && draft) {
      const goneBy = await lastAuthor(key);
      opened.value = { key, status: 'ready', view: null, type: draft.type, text: draft.text, base: 0, saved: 'dirty', goneBy };
    } else {
      opened.value = { key, status: error.code === 'not_found' ? 'missing' : 'failed', message: error.message };
      if (error.code === 'not_found') loadHistory(key);
    }
  }
}

const conflictWith = (piece, row) => ({ text: piece.value, version: piece.version, actor: row?.actor || piece.updated_by });
const faultOf = (type, text) => (type === 'json' ? jsonFault(text) : null);

async function lastAuthor(key) {
  try {
    const found = await op(instance.peek(), 'key_history', { key, limit: 1 });
    return found.versions[0]?.actor || null;
  } catch {
    return null;
  }
}

async function loadHistory(key) {
  try {
    const found = await op(instance.peek(), 'key_history', { key, limit: 10 });
    if (isStill(key)) history.value = found.versions;
  } catch {
    // The key itself says what is wrong.
  }
}

async function showPicture(key) {
  try {
    const blob = await rawValue(instance.peek(), key);
    if (!isStill(key)) return;
    freePicture();
    picture.value = URL.createObjectURL(blob);
  } catch (error) {
    patch({ message: error.message });
  }
}

function freePicture() {
  if (picture.peek()) URL.revokeObjectURL(picture.peek());
  picture.value = null;
}

export function setText(text) {
  const now = opened.peek();
  if (!now || now.status !== 'ready') return;
  if (text === now.stored && now.view) {
    dropDraft(instance.peek(), now.key);
    patch({ text, saved: 'clean', fault: null, once: null, message: null });
    return;
  }
  const kept = keepDraft(instance.peek(), now.key, { text, base: now.base, type: now.type });
  patch({ text, saved: 'dirty', once: null, fault: faultOf(now.type, text), message: kept ? null : 'Too large to survive a reload: save it soon.' });
}

function writing(now, version) {
  const args = { key: now.key, value: now.text, if_version: version };
  if (now.type) args.type = now.type;
  if (now.view?.content_type) args.content_type = now.view.content_type;
  const ends = now.view?.expires_at;
  // An edit leaves the end of a key where it is.
  if (ends) args.ttl_ms = Math.max(1, new Date(ends).getTime() - Date.now());
  return args;
}

/** Saves what was typed on the version that it was begun on. */
export async function save(version = opened.peek()?.base) {
  const now = opened.peek();
  if (!now || now.status !== 'ready' || now.saved === 'saving' || isBinary(now.type)) return;
  if (now.saved === 'clean' || now.saved === 'saved') return;
  if (now.fault) return;
  const name = instance.peek();
  const once = now.once || freshId();
  const draft = { text: now.text, base: version, type: now.type, once, args: writing(now, version) };
  keepDraft(name, now.key, draft);
  patch({ saved: 'saving', once, conflict: null, base: version, message: null });
  try {
    const done = await op(name, 'write_key', draft.args, { once });
    const after = draftOf(name, now.key);
    if (after?.text === now.text) dropDraft(name, now.key);
    if (!isStill(now.key)) return;
    if (opened.peek().text !== now.text) {
      patch({ base: done.version, saved: 'dirty', stored: now.text, once: null });
      keepDraft(name, now.key, { text: opened.peek().text, base: done.version, type: now.type });
    } else await load(now.key, { keepText: true });
  } catch (error) {
    if (error.code === 'offline') {
      keepDraft(name, now.key, { ...draft, waiting: Date.now() });
      if (isStill(now.key)) patch({ saved: 'waiting' });
    } else if (error.code === 'version_mismatch') await collide(now.key);
    else if (isStill(now.key)) {
      if (error.code === 'signed_out') connection.value = { state: 'signed_out' };
      patch({ saved: 'refused', message: error.message, once: null });
    }
  }
}

/** Somebody was faster: shows what is there beside what was typed. */
async function collide(key) {
  try {
    const { piece, row } = await read(key);
    if (!isStill(key)) return;
    const now = opened.peek();
    if (piece.value === now.text) {
      dropDraft(instance.peek(), key);
      await load(key);
      return;
    }
    patch({ saved: 'dirty', once: null, view: piece, row, conflict: conflictWith(piece, row) });
    speak('Somebody changed this key while you were editing. Nothing was overwritten.');
  } catch (error) {
    if (!isStill(key)) return;
    if (error.code === 'not_found') patch({ saved: 'dirty', once: null, goneBy: await lastAuthor(key), base: 0, view: null });
    else patch({ saved: 'refused', message: error.message });
  }
}

export function takeTheirs() {
  const { key } = opened.peek();
  dropDraft(instance.peek(), key);
  return openKey(key);
}

export const keepMine = () => {
  const { version } = opened.peek().conflict;
  patch({ conflict: null, saved: 'dirty', once: null });
  return save(version);
};

/** Both texts, one after the other, to be made into one by hand. */
export function editBoth() {
  const now = opened.peek();
  patch({ conflict: null, base: now.conflict.version, stored: now.conflict.text });
  setText(`${now.text}\n\n${now.conflict.text}`);
}

export const createAgain = () => save(0);

export function discard() {
  const { key, view } = opened.peek();
  dropDraft(instance.peek(), key);
  if (view) return openKey(key);
  return go({ open: null });
}

/** The next piece of a long text. */
export async function loadMore() {
  const now = opened.peek();
  const { piece } = await read(now.key, now.next);
  if (!isStill(now.key)) return;
  if (piece.version !== now.base) {
    await openKey(now.key);
    return;
  }
  const text = now.stored + piece.value;
  patch({ text, stored: text, next: piece.next_offset ?? null });
}

export const isEditable = now => now.status === 'ready' && !isBinary(now.type) && now.next === null && now.text.length <= EDITABLE;

// A change of the open key by whoever it was.
listeners.add(change => {
  const now = opened.peek();
  if (!now || change.key !== now.key || now.status === 'loading' || change.seq <= (now.base || 0)) return;
  if (now.saved === 'saving') return;
  if (!change.row) {
    if (isDirty.peek()) patch({ goneBy: change.actor, view: null, base: 0, conflict: null });
    else if (now.status === 'ready') patch({ status: 'missing', goneBy: change.actor, version: now.base });
    loadHistory(now.key);
  } else if (isDirty.peek() && !now.goneBy) collide(now.key);
  else if (now.goneBy && isDirty.peek()) collide(now.key).then(() => patch({ goneBy: null }));
  else load(now.key);
});

/** Sends what waited, in order. Answers how much was saved. */
onBack.run = async () => {
  let saved = 0;
  for (const { instance: name, key, draft } of waiting()) {
    try {
      await op(name, 'write_key', draft.args, { once: draft.once });
      dropDraft(name, key);
      saved += 1;
      if (isStill(key)) await load(key, { keepText: true });
    } catch (error) {
      if (error.code === 'offline') return saved;
      keepDraft(name, key, { ...draft, waiting: undefined });
      if (isStill(key)) {
        if (error.code === 'version_mismatch') await collide(key);
        else patch({ saved: 'refused', message: error.message });
      } else say(`${key} could not be saved: open it to see why.`);
    }
  }
  return saved;
};
