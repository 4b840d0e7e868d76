// Keys as a Markdown document in the form of the first versions, with lines of ours where it would lose something:
// older readers skip those.
import { booleans } from './attributes.js';
import { isBinary } from './binary.js';

export const TITLE = '# MindCache STM Export';
export const ENTRIES = '## STM Entries';
export const APPENDIX = '## Appendix: Binary Data';
export const END = '*End of MindCache Export*';

const isPlain = text => text !== '' && text.trim() === text && !/[`\u0000-\u001f\u007f]/.test(text);
const span = text => (isPlain(text) ? `\`${text}\`` : JSON.stringify(text));
const spans = words => (words.every(word => isPlain(word)) ? words.map(span).join(', ') : JSON.stringify(words));

/** A, B, … Z, AA, AB, … */
function label(number) {
  const rest = Math.floor(number / 26);
  return (rest > 0 ? label(rest - 1) : '') + String.fromCharCode(65 + (number % 26));
}

/** A text under a type that holds it: what is no string is JSON. */
function held({ value, attributes: { type } }) {
  if (isBinary(type)) return { type, text: String(value) };
  if (typeof value !== 'string') return { type: 'json', text: JSON.stringify(value, null, 2) };
  return { type, text: type === 'json' && isJson(value) ? JSON.stringify(value) : value };
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The document of entries, which are `[name, entry]` in their order. */
export function write(entries, date) {
  const lines = [TITLE, '', `Export Date: ${date}`, '', '---', '', ENTRIES, ''];
  const binaries = [];
  for (const [name, entry] of entries) {
    if (entry.value === undefined) continue;
    const { type, text } = held(entry);
    lines.push(...head(name, type, entry.attributes));
    if (isBinary(type)) {
      lines.push(`- **Value**: [See Appendix ${label(binaries.length)}]`);
      binaries.push([name, entry, text]);
    } else {
      const inside = text.split('\n');
      // Says where the value ends when it looks as if it ended sooner.
      if (inside.some(line => line.trim().startsWith('```'))) lines.push(`- **Lines**: \`${inside.length}\``);
      lines.push('- **Value**:', type === 'json' ? '```json' : '```', ...inside, '```');
    }
    lines.push('', '---', '');
  }
  if (binaries.length > 0) lines.push(APPENDIX, '');
  binaries.forEach(([name, { attributes }, text], at) => {
    const contentType = attributes.contentType ?? 'application/octet-stream';
    lines.push(`### Appendix ${label(at)}: ${heading(name)}`, `**Type**: ${contentType}`, '', '```', text, '```', '', '---', '');
  });
  return [...lines, END].join('\n');
}

const heading = name => name.replace(/[\u0000-\u001f\u007f]/g, ' ').trim();

function head(name, type, attributes) {
  const flags = booleans(attributes);
  const lines = [
    `### ${heading(name)}`, `- **Type**: \`${type}\``, `- **Readonly**: \`${flags.readonly}\``,
    `- **Visible**: \`${flags.visible}\``, `- **Template**: \`${flags.template}\``, `- **Z-Index**: \`${attributes.zIndex}\``,
    `- **System Tags**: ${spans(attributes.systemTags)}`,
  ];
  if (heading(name) !== name) lines.splice(1, 0, `- **Name**: ${JSON.stringify(name)}`);
  if (attributes.contentTags.length > 0) lines.push(`- **Tags**: ${spans(attributes.contentTags)}`);
  if (attributes.contentType) lines.push(`- **Content Type**: ${span(attributes.contentType)}`);
  return lines;
}
