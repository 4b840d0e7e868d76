// Parts of an open key: switches, tags, the last changes.
import { html, useEffect, useRef, useState } from '../vendor/ui.mjs';
import { lineCounts } from './diff.mjs';
import { Sides } from './editor.mjs';
import { Named, writerOf } from './face.mjs';
import { Icon } from './icons.mjs';
import { age, visible } from './words.mjs';

const SWITCHES = [
  ['SystemPrompt', 'In the system prompt'], ['LLMRead', 'Agents may read it'], ['LLMWrite', 'Agents may write it'],
  ['ApplyTemplate', 'Fill in {{keys}} in it'], ['protected', 'Protected from deletion'],
];

export function Switches({ tags, onChange }) {
  const turn = tag => onChange(tags.includes(tag) ? tags.filter(each => each !== tag) : [...tags, tag]);
  return html`<ul class="switches">${SWITCHES.map(([tag, words]) => html`<li>
    <label><input type="checkbox" role="switch" checked=${tags.includes(tag)} onChange=${() => turn(tag)} /><span>${words}</span></label>
    <code>${tag}</code></li>`)}</ul>`;
}

export function Tags({ tags, onChange, adding, onAdding }) {
  const field = useRef(null);
  useEffect(() => {
    if (adding) field.current?.focus();
  }, [adding]);
  const add = event => {
    event.preventDefault();
    const tag = field.current.value.trim();
    if (tag && !tags.includes(tag)) onChange([...tags, tag]);
    onAdding(false);
  };
  return html`<div class="tags">${tags.map(tag => html`<span class="chip">${visible(tag)}
      <button type="button" class="bare" aria-label=${`Remove the tag ${tag}`} onClick=${() => onChange(tags.filter(each => each !== tag))}><${Icon} name="close" /></button></span>`)}
    ${adding ? html`<form onSubmit=${add}><input ref=${field} class="tag-field" aria-label="New tag" maxlength="64" size="12"
        onBlur=${event => event.currentTarget.value.trim() || onAdding(false)}
        onKeyDown=${event => event.key === 'Escape' && (event.stopPropagation(), onAdding(false))} /></form>`
    : html`<button type="button" class="chip add" onClick=${() => onAdding(true)}><${Icon} name="plus" /> Add</button>`}</div>`;
}

const DID = { created: 'made it', updated: 'changed it', deleted: 'deleted it', expired: 'its time was up' };

function lines(versions, at) {
  const counts = lineCounts(versions[at + 1]?.value, versions[at].value);
  if (!counts || (!counts.added && !counts.removed)) return DID[versions[at].change];
  const { added, removed } = counts;
  return `${added ? `+${added}` : ''}${added && removed ? ' ' : ''}${removed ? `−${removed}` : ''} ${added + removed === 1 ? 'line' : 'lines'}`;
}

export function Changes({ versions, now, current, onRestore }) {
  const [shown, setShown] = useState(null);
  return html`<ol class="changes">${versions.map((version, at) => {
    const before = versions[at + 1];
    const canDiff = version.value !== undefined && before?.value !== undefined && version.value !== before.value;
    const canRestore = version.version !== current && (version.change === 'created' || version.change === 'updated');
    return html`<li key=${version.version}><div class="change">
      <${Named} writer=${writerOf(version.actor)} /><span class="did">${lines(versions, at)}</span><span class="when">${age(version.at, now)}</span>
      ${canDiff && html`<button type="button" class="link" aria-expanded=${shown === version.version}
        onClick=${() => setShown(shown === version.version ? null : version.version)}>Diff</button>`}
      ${canRestore && html`<button type="button" class="link" aria-label=${`Restore version ${version.version}`} onClick=${() => onRestore(version.version)}>Restore</button>`}</div>
      ${shown === version.version && canDiff && html`<${Sides} left=${before.value} right=${version.value} titles=${['Before', 'After']} />`}</li>`;
  })}</ol>`;
}
