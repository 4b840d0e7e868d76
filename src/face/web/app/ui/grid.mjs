// Rows by rank in a scrolled place: only those in sight are in the document, however many there are.
import { html, useEffect, useLayoutEffect, useRef, useState } from '../vendor/ui.mjs';
import { Face, colour, writerOf } from './face.mjs';
import { Icon } from './icons.mjs';
import { TYPES, age, ago, parts, summary, visible } from './words.mjs';

/** Browsers lose rows beyond this height: longer lists are scrolled in proportion. */
const MOST_PIXELS = 8_000_000;
const OVER = 6;

export function Name({ name }) {
  const [path, last] = parts(visible(name));
  return html`<span class="name">${path && html`<span class="path">${path}</span>`}<b>${last}</b></span>`;
}

function Marks({ row }) {
  const has = tag => row.system_tags.includes(tag);
  return html`${has('SystemPrompt') && html`<span class="mark-of" title="In the system prompt"><${Icon} name="prompt" /></span>`}
    ${has('protected') && html`<span class="mark-of" title="Protected from deletion"><${Icon} name="lock" /></span>`}
    ${!has('LLMRead') && !has('SystemPrompt') && html`<span class="mark-of" title="Hidden from agents"><${Icon} name="hidden" /></span>`}`;
}

function describe(row, writer, now, isUnsaved) {
  const marks = [row.system_tags.includes('SystemPrompt') && 'in the prompt', row.system_tags.includes('protected') && 'protected'];
  return [visible(row.key), TYPES[row.type], ...marks, summary(row).slice(0, 80), `${writer.name}, ${ago(row.updated_at, now)}`, isUnsaved && 'your change is not saved yet']
    .filter(Boolean).join(', ');
}

function Row({ row, rank, y, now, lit, isUnsaved, isActive, isOpen, isSelected, onOpen }) {
  if (!row) {
    return html`<div class="row pending" role="row" aria-rowindex=${rank + 2} style=${`transform:translateY(${y}px)`}>
      <span role="gridcell" class="cell-key"><span class="bar"></span></span></div>`;
  }
  const writer = writerOf(row.actor);
  const wash = lit ? (row.version % 2 ? ' lit-a' : ' lit-b') : '';
  const state = `${isUnsaved ? ' unsaved' : ''}${isOpen ? ' open' : ''}${isActive ? ' active' : ''}${isSelected ? ' selected' : ''}`;
  return html`<div class=${`row${wash}${state}`} role="row" id=${`row-${rank}`} aria-rowindex=${rank + 2} aria-selected=${isOpen || isSelected}
      aria-label=${describe(row, writer, now, isUnsaved)} style=${`transform:translateY(${y}px)`} data-key=${row.key} onClick=${() => onOpen(row.key)}>
    <span class=${`edge w${colour(writer.name)}`}></span>
    <span role="gridcell" class="cell-type" title=${TYPES[row.type]}><${Icon} name=${row.type} /></span>
    <span role="gridcell" class="cell-key"><${Name} name=${row.key} /><${Marks} row=${row} /></span>
    <span role="gridcell" class=${`cell-value ${row.type}`}><bdi>${summary(row)}</bdi>
      <span class="cell-tags">${row.tags.slice(0, 3).map(tag => html`<span class="chip">${visible(tag)}</span>`)}</span></span>
    <span role="gridcell" class="cell-who" title=${writer.name}><${Face} writer=${writer} /><span class="who">${visible(writer.name)}</span></span>
    <span role="gridcell" class="cell-age" title=${isUnsaved ? 'Your change is not saved yet' : undefined}>${isUnsaved ? '…' : age(row.updated_at, now)}</span>
  </div>`;
}

/** `rows` gives a row by its rank, `need` is told which ranks are in sight, `moved` of the first of them. */
export function Grid({ rows, total, drawn, now, isLit, isUnsaved, active, open, selected, shift, onShifted, need, moved, onOpen, onKey, onHold, label, reset }) {
  const place = useRef(null);
  const [height, setHeight] = useState(600);
  const [top, setTop] = useState(0);
  const [rowHeight, setRowHeight] = useState(36);

  useLayoutEffect(() => {
    const measure = () => {
      setHeight(place.current.clientHeight || 600);
      setRowHeight(matchMedia('(max-width: 759px)').matches ? 62 : 36);
    };
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);

  const whole = total * rowHeight;
  const virtual = Math.min(whole, MOST_PIXELS);
  // In proportion: at the end of the scroll is the end of the list.
  const ratio = virtual > height ? (whole - height) / (virtual - height) : 1;
  const topPixel = top * ratio;
  const from = Math.max(0, Math.floor(topPixel / rowHeight) - OVER);
  const to = Math.min(total - 1, Math.ceil((topPixel + height) / rowHeight) + OVER);

  const scrollTo = pixel => {
    place.current.scrollTop = pixel / ratio;
    setTop(place.current.scrollTop);
  };

  useLayoutEffect(() => {
    place.current.scrollTop = 0;
    setTop(0);
  }, [reset]);
  useLayoutEffect(() => {
    if (!shift) return;
    scrollTo(topPixel + shift * rowHeight);
    onShifted();
  }, [shift]);
  useEffect(() => {
    moved(Math.floor(topPixel / rowHeight));
    if (total > 0) need(from, to);
  }, [from, to, total, drawn]);
  // The active row is brought into sight when it moves, and at no other time.
  const at = active.rank;
  useLayoutEffect(() => {
    if (at < 0 || !active.follow) return;
    if (at * rowHeight < topPixel) scrollTo(at * rowHeight);
    else if ((at + 1) * rowHeight > topPixel + height) scrollTo((at + 1) * rowHeight - height);
  }, [at, active.moves]);

  const found = [];
  for (let rank = from; rank <= to; rank++) {
    const row = rows.row(rank);
    const y = top + rank * rowHeight - topPixel;
    found.push(html`<${Row} key=${row ? row.key : `rank ${rank}`} row=${row} rank=${rank} y=${y} now=${now} lit=${row && isLit(row.key)} isUnsaved=${row && isUnsaved(row.key)}
      isActive=${rank === at} isOpen=${row && row.key === open} isSelected=${row && selected.has(row.key)} onOpen=${onOpen} />`);
  }
  return html`<div class="grid" role="grid" tabindex="0" ref=${place} aria-label=${label} aria-rowcount=${total + 1}
      aria-activedescendant=${at >= from && at <= to && rows.row(at) ? `row-${at}` : undefined} aria-multiselectable="true"
      onScroll=${event => setTop(event.currentTarget.scrollTop)} onKeyDown=${event => onKey(event, Math.floor(height / rowHeight))}
      onPointerEnter=${() => onHold(true)} onPointerLeave=${() => onHold(false)}>
    <div class="heads" role="row" aria-rowindex="1">
      <span role="columnheader" class="cell-type"><span class="quiet">Type</span></span>
      <span role="columnheader" class="cell-key">Key</span><span role="columnheader" class="cell-value">Value</span>
      <span role="columnheader" class="cell-who">Last change</span>
      <span role="columnheader" class="cell-age"><span class="quiet">Age</span></span></div>
    <div class="rows" role="rowgroup" style=${`height:${virtual}px`}>${found}</div>
  </div>`;
}
