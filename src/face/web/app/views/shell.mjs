// The frame of the page: which instance, who is there, how the connection is.
import { html, useEffect } from '../vendor/ui.mjs';
import { applyTheme, connection, creating, go, helpOpen, hush, instance, instances, place, spoken, switchTheme, theme, toast } from '../state/app.mjs';
import { undo } from '../state/actions.mjs';
import { save } from '../state/edit.mjs';
import { present } from '../state/keys.mjs';
import { Create } from './create.mjs';
import { Detail } from './detail.mjs';
import { Keys, focusGrid } from './keys.mjs';
import { ConnectionBar, Returned, SignedOut } from './states.mjs';
import { Face, writerOf } from '../ui/face.mjs';
import { Icon, Mark } from '../ui/icons.mjs';
import { Help, Plain, Toast } from '../ui/notices.mjs';
import { count, some, visible } from '../ui/words.mjs';

const PILLS = { live: 'Live', behind: 'Catching up', loading: 'Connecting', lost: 'Lost', stopped: 'Stopped', gone: 'Gone' };

function Pill() {
  const { state, behind } = connection.value;
  const words = state === 'behind' ? `Catching up: ${some(behind, 'change')}` : PILLS[state];
  return html`<span class=${`pill ${state}`} role="status"><span class="dot" aria-hidden="true"></span>${words}</span>`;
}

function Present() {
  const agents = [...present.value.values()].map(each => writerOf(each.actor)).filter(writer => writer.kind !== 'human');
  if (agents.length === 0) return null;
  return html`<span class="present" title=${agents.map(writer => writer.name).join(', ')}>
    ${agents.slice(0, 4).map(writer => html`<${Face} key=${writer.name} writer=${writer} />`)}<span class="label">${some(agents.length, 'agent')}</span></span>`;
}

function Header() {
  const all = instances.value;
  const current = instance.value;
  const known = all.some(each => each.name === current || each.id === current);
  return html`<header class="top"><a class="brand" href="#/" aria-label="mindcache, all instances"><${Mark} /><h1>mindcache</h1></a>
    <span class="slash" aria-hidden="true">/</span>
    ${current && html`<span class="instances"><select aria-label="Instance" value=${current} onChange=${event => go({ instance: event.currentTarget.value, open: null, filter: { match: '', tag: '', type: '', by: '' } })}>
      ${!known && html`<option value=${current}>${visible(current)}</option>`}
      ${all.map(each => html`<option key=${each.id} value=${each.id === current ? each.id : each.name}>${visible(each.name)}</option>`)}</select><${Icon} name="down" /></span>`}
    <span class="space"></span><${Present} /><${Pill} />
    <button type="button" class="bare" aria-label=${theme.value === 'dark' ? 'Light colours' : 'Dark colours'} title="Colours" onClick=${switchTheme}><${Icon} name="moon" /></button></header>`;
}

const Instances = () => html`<main class="alone"><${Plain} title="Instances"><ul class="instance-list">${instances.value.map(each => html`<li key=${each.id}>
  <a href=${`#/i/${encodeURIComponent(each.name)}/keys`}>${visible(each.name)}</a>${each.note && html`<span class="muted"> ${visible(each.note)}</span>`}</li>`)}</ul>
  <p class="muted">${count(instances.value.length)} in this data folder</p></${Plain}></main>`;

const isField = target => target.closest?.('input, textarea, select, dialog');

function onKey(event) {
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && event.key.toLowerCase() === 's') {
    event.preventDefault();
    save();
  } else if (isCommand && !event.shiftKey && event.key.toLowerCase() === 'z' && !isField(event.target)) {
    event.preventDefault();
    undo();
  } else if (event.key === 'Escape' && !event.defaultPrevented && !event.target.closest?.('dialog, .tag-field, #filter') && place.peek().open !== null) {
    // What was typed is kept: leaving never discards.
    go({ open: null });
    focusGrid();
  }
}

export function Shell() {
  useEffect(() => {
    applyTheme();
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  if (connection.value.state === 'signed_out') return html`<${SignedOut} />`;
  const hasOpen = place.value.open !== null;
  return html`<${Header} /><${ConnectionBar} /><${Returned} />
    ${instance.value ? html`<main class=${hasOpen ? 'split' : ''}><${Keys} /><${Detail} /></main>` : html`<${Instances} />`}
    ${creating.value && html`<${Create} />`}${helpOpen.value && html`<${Help} onClose=${() => { helpOpen.value = false; }} />`}
    <${Toast} toast=${toast.value && { ...toast.value, run: () => { const { run } = toast.peek(); hush(); run?.(); } }} onClose=${hush} />
    <p class="quiet" aria-live="polite">${spoken.value}</p>`;
}
