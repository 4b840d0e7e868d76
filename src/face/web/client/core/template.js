// Template injection: `{{name}}` becomes the value of that key, as the server does it.

/** Most characters of an expanded text. */
export const OUTPUT_CHARACTERS = 1024 * 1024;
/** How deep templates are injected into one another. */
export const DEPTH = 16;
/** Most markers that one expansion replaces. */
const MARKERS = 100_000;
/** How a text ends that went over a limit. */
const NOTICE = '\n[cut here: the template is too large]';

/** How a value stands in a text: a string as it is, an object as JSON. */
export function asText(value) {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

/**
 * Replaces the markers of a text. `find(name, depth)` answers with `{value}`, with `{value, isTemplate: true}` for one
 * whose own markers count, with `{stays: true}` for a key that is not for texts, or with nothing.
 */
export function expand(text, find, path = []) {
  const work = { find, path: [...path], left: OUTPUT_CHARACTERS, markers: MARKERS };
  const out = [];
  return walk(text, work, out) ? out.join('') : out.join('') + NOTICE;
}

/** Appends a text's expansion; false when a limit is reached. */
function walk(text, work, out) {
  let end = 0;
  for (const marker of text.matchAll(/\{\{([^}]*)\}\}/g)) {
    if (!put(text.slice(end, marker.index), work, out) || (work.markers -= 1) < 0) return false;
    end = marker.index + marker[0].length;
    const name = marker[1].trim();
    const isOpen = name === '' || work.path.includes(name);
    const found = isOpen ? { stays: true } : work.find(name, work.path.length);
    if (found?.stays || (found?.isTemplate && work.path.length >= DEPTH)) {
      if (!put(marker[0], work, out)) return false;
    } else if (found?.isTemplate) {
      work.path.push(name);
      if (!walk(asText(found.value), work, out)) return false;
      work.path.pop();
    } else if (found && found.value !== undefined && !put(asText(found.value), work, out)) {
      return false;
    }
  }
  return put(text.slice(end), work, out);
}

function put(text, work, out) {
  out.push(text.slice(0, work.left));
  work.left -= text.length;
  return work.left >= 0;
}
