// One key: its value, who sees it, its tags and its last changes.
import { html, signal, useEffect } from '../vendor/ui.mjs';
import { clock, go, instance, place } from '../state/app.mjs';
import { isBinary, history, isEditable, opened, picture } from '../state/edit.mjs';
import * as edit from '../state/edit.mjs';
import * as act from '../state/actions.mjs';
import { copy } from './states.mjs';
import { Changes, Switches, Tags } from '../ui/detail.mjs';
import { Editor, Sides } from '../ui/editor.mjs';
import { Face, colour, writerOf } from '../ui/face.mjs';
import { Name } from '../ui/grid.mjs';
import { Icon } from '../ui/icons.mjs';
import { Plain } from '../ui/notices.mjs';
import { TYPES, ago, count, size, visible } from '../ui/words.mjs';

export const tagging = signal(false);
export const removeKey = key => act.remove(key);

const close = () => go({ open: null });

function Head({ now, keyName: key }) {
  const { view, row } = now;
  const writer = writerOf(row?.actor || view?.updated_by || { principal: '', client: '' });
  const time = clock.value;
  return html`<header class="head"><div class="title">
      <button type="button" class="bare only-phone" aria-label="Back to the list" onClick=${close}><${Icon} name="back" /></button>
      <h2 title=${key}><${Name} name=${key} /></h2>
      <button type="button" class="bare" aria-label="Copy the name" title="Copy the name (y)" onClick=${() => copy(key, 'the name')}><${Icon} name="copy" /></button>
      ${view && html`<button type="button" class="bare" aria-label="Download the value" title="Download the value" onClick=${() => act.download(key)}><${Icon} name="save" /></button>
        <button type="button" class="bare" aria-label="Delete this key" title="Delete (Del)" onClick=${() => removeKey(key)}><${Icon} name="trash" /></button>`}
      <button type="button" class="bare not-phone" aria-label="Close" title="Close (Esc)" onClick=${close}><${Icon} name="close" /></button></div>
    ${view && html`<p class="about"><${Face} writer=${writer} /><b class=${`w${colour(writer.name)}`}>${visible(writer.name)}</b> wrote it ${ago(view.updated_at, time)}
      <span>· ${TYPES[view.type].toLowerCase()}</span>${row && html`<span> · ${size(row.size)}</span>`}<span> · version ${count(view.version)}</span>
      ${view.expires_at && html`<span> · until ${new Date(view.expires_at).toLocaleString('en')}</span>`}</p>`}</header>`;
}

const STATES = {
  clean: ['check', 'Up to date'], saved: ['check', 'Saved'], dirty: ['', 'Not saved yet'], saving: ['', 'Saving…'],
  waiting: ['', 'Not saved yet: waits for the connection'], refused: ['', 'Not saved yet'],
};

function Saving({ now }) {
  if (!isEditable(now)) return null;
  const [icon, words] = STATES[now.saved];
  const canSave = ['dirty', 'waiting', 'refused'].includes(now.saved) && !now.fault && !now.conflict;
  return html`<div class="saving"><p class=${now.fault || now.message ? 'bad' : ''} role="status">
      ${now.fault ? now.fault : now.message ? now.message : html`${icon && html`<${Icon} name=${icon} />`} ${words}`}</p>
    ${now.saved !== 'clean' && now.saved !== 'saved' && now.saved !== 'saving' && html`<button type="button" class="link" onClick=${edit.discard}>Discard</button>`}
    <button type="button" class=${canSave ? 'primary' : ''} disabled=${!canSave} onClick=${() => edit.save()}>Save <kbd>Ctrl S</kbd></button></div>`;
}

/** The same person, in another tab or on the command line, is another writer too. */
const changedBy = actor => {
  const { name } = writerOf(actor);
  return name === 'you' ? 'You, elsewhere,' : visible(name);
};

const Conflict = ({ now }) => html`<section class="conflict" role="alert"><p><b>${changedBy(now.conflict.actor)} changed this key while you were editing.</b>${' '}
    Nothing was overwritten. Choose what to keep.</p>
  <${Sides} left=${now.conflict.text} right=${now.text} titles=${['Theirs', 'Yours']} />
  <p class="choices"><button type="button" onClick=${edit.takeTheirs}>Take theirs</button><button type="button" onClick=${edit.keepMine}>Keep mine</button>
    <button type="button" onClick=${edit.editBoth}>Edit both</button></p></section>`;

const DeletedBeneath = ({ now }) => html`<section class="conflict" role="alert"><p><b>${now.goneBy ? visible(writerOf(now.goneBy).name) : 'Somebody'} deleted this key.</b> Your text is still here.</p>
  <p class="choices"><button type="button" onClick=${edit.createAgain}>Create it again</button><button type="button" onClick=${edit.discard}>Discard</button></p></section>`;

function Value({ now, keyName: key }) {
  if (isBinary(now.type)) {
    return html`<div class="binary">${now.type === 'image' && picture.value && html`<img src=${picture.value} alt=${`The image ${visible(key)}`} />`}
      <p>${now.view.content_type} · ${now.row ? size(now.row.size) : ''}</p><p class="choices"><button type="button" onClick=${() => act.download(key)}>Download</button>
        <${Replace} keyName=${key} now=${now} /></p></div>`;
  }
  return html`${now.next !== null && now.next !== undefined && html`<p class="large">${now.row ? size(now.row.size) : 'Long'}. The first ${size(new Blob([now.text]).size)} are shown.
      <button type="button" class="link" onClick=${edit.loadMore}>More</button> <button type="button" class="link" onClick=${() => act.download(key)}>Download</button> <${Replace} keyName=${key} now=${now} /></p>`}
    <${Editor} text=${now.text} isReadOnly=${!isEditable(now)} isJson=${now.type === 'json'} label=${`Value of ${visible(key)}`} onInput=${edit.setText} />`;
}

const Replace = ({ keyName, now }) => html`<label class="button">Replace by file<input type="file" class="quiet" onChange=${event => act.replace(keyName, event.currentTarget.files[0], now.view)} /></label>`;

function Missing({ now, keyName: key }) {
  const who = now.goneBy ? visible(writerOf(now.goneBy).name) : null;
  return html`<${Plain} title=${who ? `${who} deleted this key.` : 'There is no such key.'}>
    ${now.version && html`<p><button type="button" onClick=${() => act.restore(key, now.version)}>Bring it back</button></p>`}
    <p><button type="button" class="link" onClick=${close}>Back to the list</button></p></${Plain}>`;
}

export function Detail() {
  const key = place.value.open;
  const name = instance.value;
  useEffect(() => {
    tagging.value = tagging.peek() && key !== null;
    edit.openKey(key);
  }, [key, name]);
  const now = opened.value;
  if (key === null || !now) return null;
  const time = clock.value;
  const body = () => {
    if (now.status === 'loading') return html`<div class="loading" aria-busy="true"><div class="bar"></div><div class="bar"></div></div>`;
    if (now.status === 'failed') return html`<${Plain} title="This key cannot be shown."><p>${now.message}</p></${Plain}>`;
    if (now.status === 'missing') return html`<${Missing} now=${now} keyName=${key} />`;
    const tool = act.toolOf.value;
    return html`${now.goneBy ? html`<${DeletedBeneath} now=${now} />` : now.conflict && html`<${Conflict} now=${now} />`}
      <div class="value"><${Value} now=${now} keyName=${key} /><${Saving} now=${now} /></div>
      ${now.view && html`<section class="part"><h3>Who sees it</h3><${Switches} tags=${now.view.system_tags} onChange=${tags => act.setSystemTags(key, tags)} />
        ${tool?.key === key && tool.write && html`<p class="tool"><${Icon} name="tool" /> Agents write it with <code>${tool.write}</code></p>`}
        ${tool?.key === key && !tool.write && tool.read && html`<p class="tool"><${Icon} name="tool" /> Agents read it with <code>${tool.read}</code></p>`}</section>
      <section class="part"><h3>Tags</h3><${Tags} tags=${now.view.tags} onChange=${tags => act.setTags(key, tags)} adding=${tagging.value} onAdding=${on => { tagging.value = on; }} /></section>`}
      ${history.value && html`<section class="part"><h3>Last changes</h3><${Changes} versions=${history.value} now=${time} current=${now.view?.version} onRestore=${version => act.restore(key, version)} /></section>`}`;
  };
  // What is edited as text is not replaced by a picture that was meant for another place.
  const give = files => {
    const takes = files.length > 0 && now.view && !isEditable(now);
    if (takes) act.replace(key, files[0], now.view);
    return takes;
  };
  return html`<section class="detail" aria-label=${`The key ${visible(key)}`} onDragOver=${event => event.dataTransfer.types.includes('Files') && event.preventDefault()}
      onDrop=${event => give(event.dataTransfer.files) && event.preventDefault()} onPaste=${event => give(event.clipboardData.files) && event.preventDefault()}><${Head} now=${now} keyName=${key} />${body()}</section>`;
}
