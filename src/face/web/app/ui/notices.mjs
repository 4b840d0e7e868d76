// What is said to the reader: a bar over everything, a line that passes, and full pages of words.
import { html, useEffect, useRef } from '../vendor/ui.mjs';
import { Icon } from './icons.mjs';

export const Bar = ({ kind = 'warn', title, children }) =>
  html`<div class=${`bar-notice ${kind}`} role="status"><p>${title && html`<b>${title}</b> `}${children}</p></div>`;

export const Toast = ({ toast, onClose }) => toast && html`<div class="toast" role="status">
  <span>${toast.text}</span>
  ${toast.action && html`<button type="button" class="link" onClick=${toast.run}>${toast.action}</button>`}
  <button type="button" class="bare" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></div>`;

export const Plain = ({ title, children }) => html`<div class="plain"><h2>${title}</h2>${children}</div>`;

/** A dialog over the page; Escape and a click beside it close it. */
export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} aria-label=${title} onCancel=${onClose} onClose=${onClose}
      onClick=${event => event.target === box.current && onClose()}>
    <div class="dialog"><header><h2>${title}</h2>
      <button type="button" class="bare" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></header>${children}</div>
  </dialog>`;
}

const KEYS = [
  ['↓ ↑ j k', 'Move'], ['PgUp PgDn Home End', 'Move far'], ['Enter', 'Open'], ['Esc', 'Back'], ['/', 'Filter; ↓ goes into the list'],
  ['n', 'New key'], ['e', 'Edit'], ['Ctrl S', 'Save'], ['x, Shift ↓', 'Select'], ['t', 'Add a tag'], ['Del', 'Delete'],
  ['Ctrl Z', 'Undo, outside a field'], ['y', 'Copy the name'], ['?', 'This list'],
];

export const Help = ({ onClose }) => html`<${Dialog} title="Keys of the keyboard" onClose=${onClose}>
  <dl class="help">${KEYS.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl></${Dialog}>`;
