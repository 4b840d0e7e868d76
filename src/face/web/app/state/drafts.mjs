// What was typed and is not saved: kept for this tab, so that a reload or a lost connection takes nothing away.
import { signal } from '../vendor/ui.mjs';

const PREFIX = 'mc_draft:';
const MOST = 1024 * 1024;

/** Moves with each change: who counts drafts reads it. */
export const changed = signal(0);

const name = (instance, key) => `${PREFIX}${JSON.stringify([instance, key])}`;

/** `{text, base, type, waiting, once}`: the version that it was begun on, and whether it waits to be sent. */
export function draftOf(instance, key) {
  try {
    return JSON.parse(sessionStorage.getItem(name(instance, key)));
  } catch {
    return null;
  }
}

/** Answers whether it could be kept. */
export function keepDraft(instance, key, draft) {
  let kept = draft.text.length <= MOST;
  try {
    if (kept) sessionStorage.setItem(name(instance, key), JSON.stringify(draft));
  } catch {
    // The storage of the tab is full.
    kept = false;
  }
  changed.value += 1;
  return kept;
}

export function dropDraft(instance, key) {
  sessionStorage.removeItem(name(instance, key));
  changed.value += 1;
}

/** The drafts that wait to be sent, oldest first. */
export function waiting() {
  const found = [];
  for (let at = 0; at < sessionStorage.length; at++) {
    const stored = sessionStorage.key(at);
    if (!stored.startsWith(PREFIX)) continue;
    const [instance, key] = JSON.parse(stored.slice(PREFIX.length));
    const draft = draftOf(instance, key);
    if (draft?.waiting) found.push({ instance, key, draft });
  }
  return found.sort((a, b) => a.draft.waiting - b.draft.waiting);
}
