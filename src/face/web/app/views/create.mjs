// A new key.
import { html, useState } from '../vendor/ui.mjs';
import { create } from '../state/actions.mjs';
import { creating } from '../state/app.mjs';
import { jsonFault } from '../state/edit.mjs';
import { Dialog } from '../ui/notices.mjs';
import { TYPES } from '../ui/words.mjs';

export function Create() {
  const [type, setType] = useState('text');
  const [refused, setRefused] = useState(null);
  const [busy, setBusy] = useState(false);
  const close = () => {
    creating.value = null;
  };
  const submit = async event => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const key = form.get('key');
    const file = form.get('file');
    const value = form.get('value') ?? '';
    const tags = (form.get('tags') || '').split(',').map(tag => tag.trim()).filter(Boolean);
    const fault = type === 'json' ? jsonFault(value) : null;
    if (fault) {
      setRefused(fault);
      return;
    }
    setBusy(true);
    try {
      await create({ key, type, value, tags, file: file instanceof File && file.name ? file : null });
      close();
    } catch (error) {
      const taken = error.code === 'version_mismatch' || error.status === 412;
      setRefused(taken ? 'There is a key of this name already. Open it to change it.' : error.message);
      setBusy(false);
    }
  };
  const isFile = type === 'file' || type === 'image';
  return html`<${Dialog} title="New key" onClose=${close}><form class="create" onSubmit=${submit}>
    <label>Name<input name="key" required maxlength="256" autocomplete="off" spellcheck="false" autofocus placeholder="notes/today" /></label>
    <fieldset><legend>Type</legend>${Object.entries(TYPES).map(([name, words]) => html`<label class="choice"><input type="radio" name="type" value=${name}
      checked=${type === name} onChange=${() => setType(name)} /> ${words}</label>`)}</fieldset>
    ${isFile ? html`<label>File<input type="file" name="file" required accept=${type === 'image' ? 'image/*' : undefined} /></label>`
    : html`<label>Value<textarea name="value" rows="8" spellcheck="false"></textarea></label>`}
    <label>Tags<input name="tags" autocomplete="off" placeholder="separated by commas" /></label>
    ${refused && html`<p class="bad" role="alert">${refused}</p>`}
    <p class="choices"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="primary" disabled=${busy}>Create</button></p>
  </form></${Dialog}>`;
}
