// What a person does to a key beside typing: delete and bring back, tags, files.
import { effect, signal } from '../vendor/ui.mjs';
import { op, putValue, rawValue } from '../net/api.mjs';
import { connection, go, instance, place, say } from './app.mjs';
import { dropDraft } from './drafts.mjs';
import { openKey, opened } from './edit.mjs';

/** The tools by which agents reach the open key: `{key, write, read}`. */
export const toolOf = signal(null);

/** Does something; what is refused is said. Answers with the result, or nothing. */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.code === 'signed_out') connection.value = { state: 'signed_out' };
    else say(error.code === 'offline' ? 'The server does not answer: nothing was changed.' : error.message, { seconds: 8 });
    return null;
  }
}

export const remove = key => attempt(async () => {
  const name = instance.peek();
  const before = await op(name, 'key_history', { key, limit: 1 });
  const done = await op(name, 'delete_key', { key });
  if (!done.deleted) {
    say(`${key} was gone already.`);
    return;
  }
  dropDraft(name, key);
  if (place.peek().open === key) go({ open: null });
  const { version } = before.versions[0];
  say(`Deleted ${key}.`, { action: 'Undo', run: () => restore(key, version) });
});

export const restore = (key, version) => attempt(async () => {
  const done = await op(instance.peek(), 'restore_key', { key, version });
  say(done.created ? `Back: ${key}.` : `Restored ${key}.`, { seconds: 5 });
  if (opened.peek()?.key === key) openKey(key);
  return done;
});

/** Takes back the last change of this tab. */
export const undo = () => attempt(async () => {
  await op(instance.peek(), 'undo', {});
  say('Taken back.', { seconds: 5 });
});

const attributes = (key, change) => attempt(() => op(instance.peek(), 'set_key_attributes', { key, ...change }));
export const setSystemTags = (key, tags) => attributes(key, { system_tags: tags });
export const setTags = (key, tags) => attributes(key, { tags });

/** Saves the value as a file of this machine. */
export const download = key => attempt(async () => {
  const blob = await rawValue(instance.peek(), key);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = key.split(/[/\\]/).pop() || 'value';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});

/** A file of this machine becomes the value; its type stays where the key has one. */
export const replace = (key, file, view) => attempt(async () => {
  if (!file) return;
  const kept = { text: 'text/plain', json: 'application/json' }[view.type];
  const type = kept ? view.content_type || kept : file.type || view.content_type || 'application/octet-stream';
  await putValue(instance.peek(), key, file, type, view.version);
  say(`Saved ${file.name} as ${key}.`, { seconds: 5 });
  openKey(key);
});

/** A new key. Answers whether it was made; what was refused is thrown. */
export async function create({ key, type, value, tags, file }) {
  const name = instance.peek();
  if (file) await putValue(name, key, file, file.type || 'application/octet-stream', 0);
  else await op(name, 'write_key', { key, value, type, if_version: 0, ...(tags.length ? { tags } : {}) });
  if (file && tags.length) await op(name, 'set_key_attributes', { key, tags });
  go({ open: key });
}

effect(() => {
  const now = opened.value;
  if (now?.status !== 'ready' || !now.view) return;
  const { key } = now;
  op(instance.peek(), 'key_tool', { key }).then(tool => {
    toolOf.value = { key, ...tool };
  }, () => {
    toolOf.value = null;
  });
});
