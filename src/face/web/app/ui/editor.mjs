// A value as text: typed into, or only read.
import { html, useEffect, useRef } from '../vendor/ui.mjs';
import { compare } from './diff.mjs';

export function Editor({ text, isReadOnly, isJson, label, onInput, focus }) {
  const field = useRef(null);
  useEffect(() => {
    if (focus) field.current.focus();
  }, [focus]);
  // The field keeps its own text: writing the same into it again would move the caret.
  useEffect(() => {
    if (field.current.value !== text) field.current.value = text;
  }, [text]);
  return html`<textarea class=${`editor ${isJson ? 'json' : ''}`} ref=${field} aria-label=${label} readonly=${isReadOnly} spellcheck="false"
    autocomplete="off" autocapitalize="off" onInput=${event => onInput(event.currentTarget.value)}></textarea>`;
}

const Side = ({ title, pieces, kind }) => html`<section class="side" aria-label=${title}><h4>${title}</h4>
  <pre tabindex="0">${pieces.map(piece => (piece.same ? piece.text : html`<mark class=${kind}>${piece.text}</mark>`))}</pre></section>`;

/** Two texts beside each other, what differs marked. */
export function Sides({ left, right, titles }) {
  const found = compare(left, right);
  return html`<div class="sides"><${Side} title=${titles[0]} pieces=${found.left} kind="left" />
    <${Side} title=${titles[1]} pieces=${found.right} kind="right" /></div>`;
}
