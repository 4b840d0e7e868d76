// The list of keys: filters, rows, and what is said under them.
import { html, useEffect, useMemo, useRef, useState } from '../vendor/ui.mjs';
import { clock, connection, creating, go, helpOpen, instance, narrow, place } from '../state/app.mjs';
import { unsavedKeys } from '../state/edit.mjs';
import { facets } from '../state/facets.mjs';
import {
  LIT_MS, active, drawn, failure, first, hold, isFiltered, lastChange, litSince, need, newer, rows, searchValues, select, selected, shift, slow,
  takeNewer, total,
} from '../state/keys.mjs';
import { removeKey, tagging } from './detail.mjs';
import { FirstRun, Gone, Loading, NoMatch, copy } from './states.mjs';
import { Face, writerNamed, writerOf } from '../ui/face.mjs';
import { Grid } from '../ui/grid.mjs';
import { Icon } from '../ui/icons.mjs';
import { TYPES, age, count, visible } from '../ui/words.mjs';

const Facet = ({ isOn, onTurn, icon, words, keys }) => html`<li><button type="button" class="facet" aria-pressed=${isOn} onClick=${onTurn}>
  ${icon}<span class="facet-name">${words}</span><span class="count">${count(keys)}</span></button></li>`;

function Order() {
  const isRecent = place.value.order === 'recent';
  const words = isRecent ? 'Recent first' : 'By name';
  return html`<button type="button" class=${`order${isRecent ? ' is-recent' : ''}`} title=${`Order: ${words}`} aria-label=${`Order: ${words}`} onClick=${() => go({ order: isRecent ? 'name' : 'recent' })}>
    <${Icon} name="recent" /><span class="label">${words}</span></button>`;
}

function Facets() {
  const { types, tags, writers } = facets.value;
  const { filter } = place.value;
  const turn = (name, value) => narrow({ [name]: filter[name] === value ? '' : value });
  const part = (title, list) => list.length > 0 && html`<section><h2>${title}</h2><ul>${list}</ul></section>`;
  return html`<aside class="facets" aria-label="Narrow down">
    ${part('Written by', writers.slice(0, 12).map(each => {
      const writer = writerNamed(each.name);
      return html`<${Facet} key=${each.name} isOn=${filter.by === each.name} onTurn=${() => turn('by', each.name)} words=${visible(writer.name)} keys=${each.keys} icon=${html`<${Face} writer=${writer} />`} />`;
    }))}
    ${part('Type', types.map(each => html`<${Facet} key=${each.name} isOn=${filter.type === each.name} onTurn=${() => turn('type', each.name)} words=${TYPES[each.name]} keys=${each.keys} icon=${html`<${Icon} name=${each.name} />`} />`))}
    ${part('Tags', tags.slice(0, 40).map(each => html`<${Facet} key=${each.name} isOn=${filter.tag === each.name} onTurn=${() => turn('tag', each.name)} words=${visible(each.name)} keys=${each.keys} icon=${html`<${Icon} name="tag" />`} />`))}
  </aside>`;
}

function Filter({ onFacets, facetsShown }) {
  const field = useRef(null);
  const timer = useRef(null);
  const { filter } = place.value;
  useEffect(() => {
    if (field.current && field.current.value !== filter.match && document.activeElement !== field.current) field.current.value = filter.match;
  }, [filter.match]);
  const typed = event => {
    const match = event.currentTarget.value;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => narrow({ match }, { replace: true }), 60);
  };
  const pressed = event => {
    if (event.key === 'ArrowDown') {
      event.preventDefault();
      focusGrid();
      activate(0);
    } else if (event.key === 'Enter' && total.peek() === 0 && event.currentTarget.value) {
      searchValues(event.currentTarget.value);
    } else if (event.key === 'Escape') {
      event.currentTarget.value = '';
      narrow({ match: '', tag: '', type: '', by: '' }, { replace: true });
    }
  };
  const number = total.value;
  return html`<div class="tools">
    <label class="search"><${Icon} name="search" /><span class="quiet">Filter keys</span>
      <input ref=${field} id="filter" type="search" placeholder="Filter keys" autocomplete="off" spellcheck="false" maxlength="256" aria-keyshortcuts="/" onInput=${typed} onKeyDown=${pressed} /></label>
    <kbd class="hint" aria-hidden="true">/</kbd>
    <span class="total" aria-live="off">${number !== null && html`<b>${count(number)}</b> ${number === 1 ? 'key' : 'keys'}`}</span>
    <${Order} />
    <button type="button" class="only-narrow" aria-expanded=${facetsShown} onClick=${onFacets} aria-label="Narrow down"><${Icon} name="filter" /></button>
    <button type="button" class="primary" aria-label="New key" aria-keyshortcuts="n" onClick=${() => { creating.value = { key: '' }; }}><${Icon} name="plus" /><span class="label">New key</span></button>
  </div>`;
}

const Chosen = () => {
  const { filter } = place.value;
  const words = { tag: filter.tag && `#${filter.tag}`, type: TYPES[filter.type], by: filter.by && `by ${writerNamed(filter.by).name}` };
  const on = Object.entries(words).filter(([, text]) => text);
  return on.length > 0 && html`<p class="chosen">${on.map(([name, text]) => html`<span class="chip">${visible(text)}
    <button type="button" class="bare" aria-label=${`Take away the filter ${text}`} onClick=${() => narrow({ [name]: '' })}><${Icon} name="close" /></button></span>`)}</p>`;
};

export const focusGrid = () => document.querySelector('.grid')?.focus();

let moves = 0;
function activate(rank, { follow = true } = {}) {
  const to = Math.max(0, Math.min(rank, rows.total - 1));
  active.value = { rank: to, key: rows.row(to)?.key ?? null, follow, moves: ++moves };
}

/** The rank of the active row: its key may have moved. */
function activeRank() {
  const { rank, key } = active.peek() || { rank: -1 };
  if (key === null || rank < 0) return rank;
  const now = rows.rankOf(key);
  return now >= 0 ? now : Math.min(rank, rows.total - 1);
}

const open = key => {
  const rank = rows.rankOf(key);
  if (rank >= 0) activate(rank, { follow: false });
  go({ open: key });
};

function onKey(event, page) {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = activeRank();
  const row = rows.row(at);
  const move = {
    ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: rows.total - 1,
  }[event.key];
  if (move !== undefined) {
    event.preventDefault();
    if (event.shiftKey && row) select(row.key, true);
    activate(move);
    const reached = rows.row(Math.max(0, move));
    if (event.shiftKey && reached) select(reached.key, true);
    return;
  }
  const act = {
    Enter: () => row && open(row.key),
    e: () => row && (open(row.key), setTimeout(() => document.querySelector('.editor')?.focus(), 150)),
    x: () => row && select(row.key),
    y: () => row && copy(selected.peek().size ? [...selected.peek()].join('\n') : row.key, selected.peek().size ? 'the names' : 'the name'),
    t: () => row && (open(row.key), (tagging.value = true)),
    Delete: () => row && removeKey(row.key),
    n: () => (creating.value = { key: '' }),
    '/': () => document.getElementById('filter').focus(),
    '?': () => (helpOpen.value = true),
    Escape: () => (selected.peek().size ? (selected.value = new Set()) : place.peek().open !== null && go({ open: null })),
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
}

function Under() {
  const change = lastChange.value;
  const now = clock.value;
  const picked = selected.value.size;
  if (picked > 0) {
    return html`<footer class="under"><span><b>${count(picked)}</b> selected</span>
      <button type="button" class="link" onClick=${() => copy([...selected.peek()].join('\n'), 'the names')}>Copy names</button>
      <button type="button" class="link" onClick=${() => { selected.value = new Set(); }}>Clear</button></footer>`;
  }
  if (!change) return html`<footer class="under"><span class="faint">Changes appear here as they happen.</span></footer>`;
  const writer = writerOf(change.actor);
  const did = { created: 'wrote', updated: 'wrote', deleted: 'deleted', expired: 'let go' }[change.change];
  return html`<footer class="under"><span class="dot" aria-hidden="true"></span><${Face} writer=${writer} /><b class="who">${visible(writer.name)}</b><span class="did">${did}</span>
    <button type="button" class="link key" onClick=${() => open(change.key)}>${visible(change.key)}</button><span class="when">· ${age(change.at, now)}</span>
    <span class="seq">change ${count(change.seq)}</span></footer>`;
}

export function Keys() {
  const [facetsShown, setFacetsShown] = useState(false);
  const version = drawn.value;
  const now = clock.value;
  const { filter, order, open: key } = place.value;
  const number = total.value;
  const reset = useMemo(() => JSON.stringify([instance.value, filter, order]), [instance.value, filter, order]);
  const unsaved = unsavedKeys.value;
  const isLit = name => litSince(name) !== undefined && Date.now() - litSince(name) < LIT_MS;
  const list = () => {
    if (connection.value.state === 'gone') return html`<${Gone} />`;
    if (failure.value && number === null) return html`<div class="plain"><h2>This cannot be shown.</h2><p>${failure.value}</p></div>`;
    if (number === null) return html`<${Loading} since=${slow.value} />`;
    if (number === 0) return isFiltered.value ? html`<${NoMatch} onOpen=${name => go({ open: name })} />` : html`<${FirstRun} />`;
    const { rank = -1, ...rest } = active.value || {};
    const at = rank < 0 ? -1 : activeRank();
    return html`<${Grid} rows=${rows} total=${number} drawn=${version} now=${now} isLit=${isLit} isUnsaved=${name => unsaved.has(name)} active=${{ ...rest, rank: at }} open=${key} selected=${selected.value}
      shift=${shift.value} onShifted=${() => { shift.value = 0; }} need=${need} moved=${rank2 => { first.value = rank2; }} onOpen=${open} onKey=${onKey} onHold=${hold} label="Keys" reset=${reset} />`;
  };
  return html`<div class=${`keys ${facetsShown ? 'with-facets' : ''}`}>
    <${Facets} />
    <section class="list" aria-label="Keys">
      <${Filter} onFacets=${() => setFacetsShown(!facetsShown)} facetsShown=${facetsShown} /><${Chosen} />
      ${newer.value > 0 && order === 'recent' && html`<button type="button" class="newer" onClick=${takeNewer}>${count(newer.value)} newer ${newer.value === 1 ? 'change' : 'changes'}</button>`}
      ${list()}<${Under} />
    </section></div>`;
}
