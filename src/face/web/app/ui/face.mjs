// Who wrote: a face by kind (square agent, round person, dashed app), then a colour.
import { html } from '../vendor/ui.mjs';

/** A writer from the parts that a reply gives; `updated_by` names no kind, but people come by these two. */
export function writerOf(actor) {
  const kind = actor.kind || (['page', 'cli'].includes(actor.client) ? 'human' : 'agent');
  const name = kind === 'human' || !actor.client ? actor.principal : actor.client;
  return { kind, name: kind === 'human' && name === 'local' ? 'you' : name };
}

/** The writer of a facet: `kind/name`. */
export function writerNamed(writer) {
  const at = writer.indexOf('/');
  const [kind, name] = [writer.slice(0, at), writer.slice(at + 1)];
  return { kind, name: kind === 'human' && name === 'local' ? 'you' : name };
}

const COLOURS = 6;
const KNOWN = { you: 0, 'claude-code': 1, codex: 2, 'gemini-cli': 3 };

export function colour(name) {
  if (Object.hasOwn(KNOWN, name)) return KNOWN[name];
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return 1 + (sum % (COLOURS - 1));
}

function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.length > 1 ? [...words[0]][0] + [...words[1]][0] : [...(words[0] || '?')].slice(0, 2).join('');
  return letters.toUpperCase();
}

export const Face = ({ writer }) =>
  html`<span class=${`face ${writer.kind} w${colour(writer.name)}`} aria-hidden="true">${initials(writer.name)}</span>`;

export const Named = ({ writer, class: name = '' }) =>
  html`<span class=${`named ${name}`}><${Face} writer=${writer} /><span class=${`w${colour(writer.name)} who`}>${writer.name}</span></span>`;
