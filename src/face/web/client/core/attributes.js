// The attributes of a key: what a new one has, the spellings of every older version, and how they are shown.

/** The system tags, in the order in which they are shown. */
export const SYSTEM_TAGS = ['SystemPrompt', 'LLMRead', 'LLMWrite', 'ApplyTemplate', 'protected'];

/** Of a new key unless told otherwise: part of the prompt, and models may write it. */
export const NEW_KEY_TAGS = ['SystemPrompt', 'LLMWrite'];

const OLDER_WORDS = { prompt: 'SystemPrompt', template: 'ApplyTemplate', hardcoded: 'protected' };
const OLDER_TYPES = { markdown: 'text/markdown', document: 'text/markdown' };
const BOOLEANS = { visible: 'SystemPrompt', template: 'ApplyTemplate' };
const KNOWN = ['type', 'contentType', 'contentTags', 'tags', 'systemTags', 'zIndex', 'readonly', 'visible', 'hardcoded', 'template'];

/** System tags of any spelling, each once, in order. Unknown words are dropped; `readonly` takes `LLMWrite` away. */
export function systemTags(words) {
  const found = new Set(words.map(word => (Object.hasOwn(OLDER_WORDS, word) ? OLDER_WORDS[word] : word)));
  if (found.has('readonly')) found.delete('LLMWrite');
  return SYSTEM_TAGS.filter(tag => found.has(tag));
}

const unique = words => [...new Set(words)];

/** The attributes of a new key before anything is said of it. */
export const fresh = (tags = NEW_KEY_TAGS) => ({ type: 'text', contentTags: [], systemTags: systemTags(tags), zIndex: 0 });

/** The four booleans of the first versions, as system tags have them. */
export function booleans({ systemTags: tags }) {
  const hardcoded = tags.includes('protected');
  return {
    readonly: hardcoded || !tags.includes('LLMWrite'),
    visible: tags.includes('SystemPrompt'),
    hardcoded,
    template: !hardcoded && tags.includes('ApplyTemplate'),
  };
}

/** Attributes with what was said of them: any names of any version, of which those left out stay. */
export function merged(attributes, said = {}) {
  const out = { ...attributes };
  if (said.type !== undefined) {
    out.type = Object.hasOwn(OLDER_TYPES, said.type) ? 'text' : said.type;
    if (out.type !== said.type) out.contentType = OLDER_TYPES[said.type];
  }
  if (said.contentType !== undefined) out.contentType = said.contentType;
  if (!out.contentType) delete out.contentType;
  const contentTags = said.contentTags ?? said.tags;
  if (contentTags !== undefined) out.contentTags = unique(contentTags);
  if (said.zIndex !== undefined) out.zIndex = said.zIndex;
  out.systemTags = tagsAfter(attributes.systemTags, said);
  for (const name of Object.keys(said)) {
    if (!KNOWN.includes(name)) Object.defineProperty(out, name, { value: said[name], enumerable: true, writable: true, configurable: true });
  }
  return out;
}

function tagsAfter(before, said) {
  const tags = new Set(said.systemTags === undefined ? before : systemTags(said.systemTags));
  const set = (tag, on) => (on ? tags.add(tag) : tags.delete(tag));
  for (const [name, tag] of Object.entries(BOOLEANS)) if (said[name] !== undefined) set(tag, said[name]);
  if (said.readonly !== undefined) set('LLMWrite', !said.readonly);
  // What is protected stays so; only the system tags' own methods take it off.
  if (said.hardcoded === true || before.includes('protected') || tags.has('protected')) {
    tags.add('protected');
    tags.delete('LLMWrite');
    tags.delete('ApplyTemplate');
  }
  return SYSTEM_TAGS.filter(tag => tags.has(tag));
}

/** Attributes as `get_attributes` shows them: tags, and the booleans and the list that older programs read. */
export function shown(attributes) {
  return {
    ...attributes,
    contentTags: [...attributes.contentTags],
    systemTags: [...attributes.systemTags],
    ...booleans(attributes),
    tags: [...attributes.contentTags],
  };
}

/** Attributes of an entry of an export of any version, which says nothing of what it has by default. */
export function imported(said) {
  const base = said.systemTags === undefined ? fresh() : { ...fresh(), systemTags: systemTags(said.systemTags) };
  return merged(base, { ...said, systemTags: undefined });
}

const CANONICAL = {
  type: ['type', 'contentType'], contentType: ['contentType'], contentTags: ['contentTags'], tags: ['contentTags'], zIndex: ['zIndex'],
  systemTags: ['systemTags'], readonly: ['systemTags'], visible: ['systemTags'], hardcoded: ['systemTags'], template: ['systemTags'],
};

/** Those of `attributes` of which something was said. */
export function named(attributes, said = {}) {
  const names = Object.keys(said).filter(name => said[name] !== undefined).flatMap(name => CANONICAL[name] ?? [name]);
  return Object.fromEntries(names.filter(name => attributes[name] !== undefined).map(name => [name, attributes[name]]));
}

/** What of `after` differs from `before`. */
export function difference(before, after) {
  const same = name => JSON.stringify(before[name]) === JSON.stringify(after[name]);
  return Object.fromEntries(Object.keys(after).filter(name => !same(name)).map(name => [name, after[name]]));
}
