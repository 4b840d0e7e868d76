// What is shown where there is no list: nothing yet, no match, signed out; and the bar of the connection.
import { html, useEffect, useState } from '../vendor/ui.mjs';
import { clock, connection, creating, narrow, place, say, updated, why } from '../state/app.mjs';
import { changed, waiting } from '../state/drafts.mjs';
import { searched } from '../state/keys.mjs';
import { back, tryNow } from '../state/live.mjs';
import { Bar, Plain } from '../ui/notices.mjs';
import { some, visible } from '../ui/words.mjs';

const INSTALL = 'mindcache install --client claude-code';

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}.`, { seconds: 3 });
  } catch {
    say('The browser does not let this page copy.', { seconds: 4 });
  }
}

export const FirstRun = () => html`<${Plain} title="Nothing here yet.">
  <p>Connect an agent and what it writes appears here.</p>
  <p class="command"><code>${INSTALL}</code><button type="button" onClick=${() => copy(INSTALL, 'the command')}>Copy</button></p>
  <p>or <button type="button" class="link" onClick=${() => { creating.value = { key: '' }; }}>Write the first key</button></p></${Plain}>`;

export function NoMatch({ onOpen }) {
  const { filter } = place.value;
  const found = searched.value?.question === filter.match ? searched.value : null;
  const clear = html`<p><button type="button" onClick=${() => narrow({ match: '', tag: '', type: '', by: '' })}>Clear the filters</button></p>`;
  if (!filter.match) return html`<${Plain} title="No key matches."><p>Nothing is left with these filters.</p>${clear}</${Plain}>`;
  const list = found?.matches?.length > 0 && html`<ul class="found">${found.matches.map(each => html`<li key=${each.key}>
    <button type="button" class="link" onClick=${() => onOpen(each.key)}>${visible(each.key)}</button><p class="muted">${each.snippet}</p></li>`)}</ul>`;
  return html`<div class="answers"><${Plain} title="No key matches.">
    <p>Nothing has “${visible(filter.match)}” in its name. ${!found && 'Enter searches the values, Esc clears.'}</p>
    ${found && html`<p role="status">${found.matches === null ? 'Searching…' : found.failure || `${some(found.matches.length, 'key')} with it in the value.`}</p>`}
    ${list || clear}</${Plain}></div>`;
}

export const SignedOut = () => html`<main class="alone"><${Plain} title="This tab is signed out.">
  <p>Run <code>mindcache open</code> for a new link.</p>${why.value && html`<p class="muted">${why.value}</p>`}</${Plain}></main>`;

export const Gone = () => html`<${Plain} title="There is no such instance."><p>It was deleted or renamed. <a href="#/">Show the others</a></p></${Plain}>`;

/** Grey bars only after a moment, words after five seconds. */
export function Loading({ since }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 200);
    return () => clearTimeout(timer);
  }, []);
  if (since) return html`<${Plain} title="Still loading."><p>The server is busy.</p></${Plain}>`;
  return html`<div class="loading" aria-busy="true" aria-label="Loading">${shown && Array.from({ length: 9 }, () => html`<div class="bar"></div>`)}</div>`;
}

export function ConnectionBar() {
  const now = clock.value;
  const { state, until } = connection.value;
  changed.value;
  const drafts = waiting().length;
  const kept = drafts ? ` ${some(drafts, 'change')} ${drafts === 1 ? 'waits' : 'wait'} here.` : '';
  if (updated.value) {
    return html`<${Bar} kind="calm" title="mindcache was updated."> <button type="button" class="link" onClick=${() => location.reload()}>Reload</button> (drafts kept)</${Bar}>`;
  }
  if (state === 'lost') {
    const seconds = Math.max(1, Math.ceil((until - now) / 1000));
    return html`<${Bar} title="Connection lost.">Trying again in ${seconds} s. You can go on editing:${kept || ' nothing is lost.'} <button type="button" class="link" onClick=${tryNow}>Try now</button></${Bar}>`;
  }
  if (state === 'stopped') {
    return html`<${Bar} title="mindcache is not running.">Start it with <code>mindcache open</code>; this tab reconnects by itself.${kept} <button type="button" class="link" onClick=${tryNow}>Try now</button></${Bar}>`;
  }
  return null;
}

/** Says once that the connection is back, and what was saved. */
export function Returned() {
  const found = back.value;
  useEffect(() => {
    if (found) say(found.saved ? `Back. ${some(found.saved, 'change')} saved.` : 'Back.', { seconds: 5 });
  }, [found]);
  return null;
}

