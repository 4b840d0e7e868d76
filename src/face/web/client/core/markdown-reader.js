// Reads the Markdown documents of the first versions: `## STM Entries` up to 2.4, `## Keys & Values` from 3.0.
import { imported } from './attributes.js';
import { isBinary } from './binary.js';
import { APPENDIX, END, ENTRIES } from './markdown.js';

const KEYS = '## Keys & Values';
const FENCE = '```';

const parsed = text => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
const unspan = text => (text.startsWith('"') ? parsed(text) : text.replace(/^`|`$/g, ''));
const unspans = text => (text.startsWith('[') ? parsed(text) ?? [] : text.replace(/^`|`$/g, '').split(/`, `|, /).filter(Boolean));

/** The entries of a document by name; nothing when this is none. */
export function read(text) {
  const crlf = /^[^\n]*\r\n/.test(text);
  const lines = text.split('\n').map(line => (crlf ? line.replace(/\r$/, '') : line));
  const start = lines.findIndex(line => [ENTRIES, KEYS].includes(line.trim()));
  if (start < 0) return null;
  const document = new Document(lines, start + 1, lines[start].trim() === ENTRIES);
  const found = document.entries();
  const entries = new Map();
  for (const { name, said, value } of found) {
    const entry = made(said, value ?? document.appended.get(name), document.isStm);
    if (entry && !entry.attributes.systemTags.includes('protected')) entries.set(name, entry);
  }
  return entries;
}

/** The entry that its lines say; nothing when it has no value. */
function made(said, text, isStm) {
  if (text === undefined) return undefined;
  const flag = name => (said[name] === undefined ? undefined : unspan(said[name]) === 'true');
  const tags = said['System Tags'];
  const type = unspan(said.Type ?? 'text');
  const attributes = imported({
    type,
    contentType: said['Content Type'] && unspan(said['Content Type']),
    contentTags: said.Tags ? unspans(said.Tags) : [],
    zIndex: Number(unspan(said['Z-Index'] ?? '0')) || 0,
    ...(tags === undefined && isStm
      ? { readonly: flag('Readonly'), visible: flag('Visible'), template: flag('Template') }
      : { systemTags: unspans(tags ?? '') }),
  });
  if (isBinary(type)) return { value: text.replace(/\s/g, ''), attributes };
  const value = type === 'json' ? parsed(text) : text;
  return { value: value === undefined ? text : value, attributes };
}

class Document {
  /** Base64 by name. */
  appended = new Map();

  constructor(lines, at, isStm) {
    this.lines = lines;
    this.at = at;
    this.isStm = isStm;
  }

  entries() {
    const found = [];
    let isAppendix = false;
    while (this.at < this.lines.length) {
      const line = this.lines[this.at++].trim();
      if (line === END) break;
      if (line === APPENDIX) isAppendix = true;
      else if (line.startsWith('### ') && !isAppendix) found.push(this.entry(line.slice(4)));
      else if (line.startsWith('### ')) this.append(found, line.slice(4));
    }
    return found;
  }

  /** The lines below a heading, up to the value. */
  entry(name) {
    const entry = { name, heading: name, said: {}, value: undefined };
    for (; this.at < this.lines.length; this.at += 1) {
      const line = this.lines[this.at].trim();
      const [, attribute, text] = /^- \*\*([^*]+)\*\*:(.*)$/.exec(line) ?? [];
      if (attribute === 'Value') {
        this.at += 1;
        entry.value = this.value(text.trim(), Number(unspan(entry.said.Lines ?? '')));
        break;
      }
      if (attribute) entry.said[attribute] = text.trim();
      else if (line !== '') break;
    }
    if (entry.said.Name) entry.name = parsed(entry.said.Name) ?? name;
    return entry;
  }

  value(text, count) {
    if (text.startsWith('[See Appendix ')) return undefined;
    if (text.startsWith(FENCE)) return this.fenced(count);
    if (/^`.*`$/.test(text)) return text.slice(1, -1);
    if (text !== '') return this.plain(text);
    while (this.lines[this.at]?.trim() === '') this.at += 1;
    if (!this.lines[this.at]?.trim().startsWith(FENCE)) return undefined;
    this.at += 1;
    return this.fenced(count);
  }

  /** A value without a fence goes on to the next heading. Versions before 3 write none. */
  plain(text) {
    if (this.isStm) return undefined;
    const value = [text];
    while (this.at < this.lines.length && !/^##/.test(this.lines[this.at])) value.push(this.lines[this.at++]);
    return value.join('\n').trim();
  }

  /** So many lines; or, when nobody counted, those up to the fence after which the document goes on. */
  fenced(count) {
    const start = this.at;
    if (count > 0 && this.lines[start + count]?.trim() === FENCE) {
      this.at = start + count + 1;
      return this.lines.slice(start, start + count).join('\n');
    }
    for (let at = start; at < this.lines.length; at += 1) {
      if (this.lines[at].trim() === FENCE && this.goesOn(at + 1)) {
        this.at = at + 1;
        return this.lines.slice(start, at).join('\n');
      }
    }
    return undefined;
  }

  goesOn(at) {
    const rest = this.lines.slice(at, at + 12).map(line => line.trim()).filter(Boolean);
    if (this.isStm && rest[0] !== '---') return rest[0]?.startsWith('### Appendix ') ?? false;
    const next = this.isStm ? rest[1] : rest[0];
    return next === undefined || next.startsWith('### ') || next === APPENDIX || next === END;
  }

  /** The data of an entry of the appendix, found by its label or by its heading. */
  append(found, heading) {
    const [, , key] = /^Appendix ([A-Z]+): (.*)$/.exec(heading) ?? [];
    const entry = found.find(({ heading: each, value }) => each === key && value === undefined);
    while (this.at < this.lines.length && !this.lines[this.at].trim().startsWith(FENCE)) this.at += 1;
    this.at += 1;
    const data = this.fenced(0);
    if (entry && data !== undefined) this.appended.set(entry.name, data);
  }
}
