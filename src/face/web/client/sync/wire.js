// What goes over the wire: edits as messages, and attributes as the server tells them.
import { fresh, systemTags } from '../core/attributes.js';

/** What a server gives a key of which nothing was said. */
const SERVERS_TAGS = ['LLMRead', 'LLMWrite'];
const OPERATION = { system_tags: 'systemTags', tags: 'contentTags', z_index: 'zIndex' };

/** Attributes of the server as ours. */
export function attributesOf({ type = 'text', contentType, contentTags, tags, systemTags: words = [], zIndex = 0 } = {}) {
  return { type, ...(contentType ? { contentType } : {}), contentTags: contentTags ?? tags ?? [], systemTags: systemTags(words), zIndex };
}

/** The key after an edit, or nothing when it is gone. */
export function after(entry, edit) {
  if (edit.kind === 'delete') return undefined;
  if (edit.kind === 'attributes') return entry && { value: entry.value, attributes: { ...entry.attributes, ...edit.attributes } };
  const before = entry?.attributes ?? edit.defaults ?? fresh(SERVERS_TAGS);
  return { value: edit.value, attributes: { ...before, ...edit.attributes } };
}

/** An edit as a message. It is the same each time, or the server would not know it again. */
export function message(edit) {
  const { id: opId, kind, key, value, attributes, ifVersion, ttlMs } = edit;
  const once = { opId, idempotencyKey: opId };
  if (kind === 'delete') return { type: 'delete', key, ...once, ...(ifVersion === undefined ? {} : { ifVersion }) };
  if (kind === 'attributes') {
    const named = Object.entries(OPERATION).filter(([, name]) => attributes[name] !== undefined);
    const args = { key, ...Object.fromEntries(named.map(([argument, name]) => [argument, attributes[name]])) };
    return { type: 'call', op: 'set_key_attributes', args, ...once };
  }
  const more = Object.entries({ attributes, ifVersion, ttlMs }).filter(([, part]) => part !== undefined);
  return { type: 'set', key, value: value ?? null, ...Object.fromEntries(more), ...once };
}

/** Whether an edit of attributes needs the value with it: its type is part of what is written. */
export const writesValue = ({ kind, attributes }) => kind === 'attributes' && ('type' in attributes || 'contentType' in attributes);

const NAMES = ['type', 'contentType', 'contentTags', 'systemTags', 'zIndex'];

/** The attributes that a server keeps. */
export const known = attributes => Object.fromEntries(NAMES.filter(name => attributes[name] !== undefined).map(name => [name, attributes[name]]));
