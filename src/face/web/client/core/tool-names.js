// Names of the tools that write keys. A name is short while it is its key's alone; keys whose short names are equal all
// take a longer one with a mark of the exact name, the same as the server's, so no name depends on who came first.
import { sha256 } from './digest.js';

/** Longest name part: with `write_`, 48 characters. */
const PART_CHARACTERS = 42;
const MARK_CHARACTERS = 8;
const STEM_CHARACTERS = PART_CHARACTERS - 1 - MARK_CHARACTERS;

/** A name with every UTF-16 unit outside `[A-Za-z0-9_-]` made `_`. */
export const sanitised = name => name.replace(/[^A-Za-z0-9_-]/g, '_');

/** The first 8 digits in a row of the digest that are not all decimal, so that no date is taken for a mark. */
function mark(name) {
  const digits = sha256(name);
  for (let at = 0; at + MARK_CHARACTERS <= digits.length; at += 1) {
    const found = digits.slice(at, at + MARK_CHARACTERS);
    if (/[a-f]/.test(found)) return found;
  }
  return 'a'.repeat(MARK_CHARACTERS);
}

const marked = name => `${sanitised(name).slice(0, STEM_CHARACTERS)}_${mark(name)}`;

const mayBeShort = part => part.length <= PART_CHARACTERS && !/_(?=[0-9]*[a-f])[0-9a-f]{8}$/.test(part);

/** Each key's name part. */
export function nameParts(keys) {
  const counts = new Map();
  for (const key of keys) {
    const short = sanitised(key);
    counts.set(short, (counts.get(short) ?? 0) + 1);
  }
  return new Map(keys.map(key => {
    const short = sanitised(key);
    return [key, counts.get(short) === 1 && mayBeShort(short) ? short : marked(key)];
  }));
}
