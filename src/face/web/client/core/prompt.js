// What a model is told: the system prompt, and the visible keys in the forms of the first versions.
import { booleans } from './attributes.js';
import { dataUrl, isBinary } from './binary.js';
import { RESERVED } from './keys.js';
import { TaggedKeys } from './tags.js';
import { nameParts } from './tool-names.js';

export class PromptedKeys extends TaggedKeys {
  /** The prompt, a line for each visible key, then the date and the time. */
  get_system_prompt() {
    const names = this._toolNames();
    const lines = this._visible().map(key => this.#line(key, names.get(key)));
    return [...lines, ...RESERVED.map(key => `${key}: ${this._reserved(key)}`)].join('\n');
  }

  /** Visible keys and the reserved ones as `key: value`, with `, ` between them. */
  getSTM() {
    return [...this._visible(), ...RESERVED].map(key => `${key}: ${this._text(key)}`).join(', ');
  }

  getSTMObject() {
    return this.getAll();
  }

  getSTMForAPI() {
    const told = this._visible().map(key => {
      const { type, contentType } = this._entries.get(key).attributes;
      return { key, value: this.get_value(key), type, ...(contentType ? { contentType } : {}) };
    });
    return [...told, ...RESERVED.map(key => ({ key, value: this._reserved(key), type: 'text' }))];
  }

  /** The visible images as parts of a message of the `ai` package. */
  getVisibleImages() {
    const entries = this._visible().map(key => [key, this._entries.get(key)]);
    return entries
      .filter(([, { attributes, value }]) => attributes.type === 'image' && attributes.contentType && value !== undefined)
      .map(([key, { attributes: { contentType }, value }]) => ({
        type: 'file', mediaType: contentType, url: dataUrl(String(value), contentType), filename: key,
      }));
  }

  _visible() {
    return this._names().filter(key => booleans(this._entries.get(key).attributes).visible);
  }

  /** The tool of each key that models may write. */
  _toolNames() {
    const parts = nameParts(this._names());
    const writable = this._names().filter(key => !booleans(this._entries.get(key).attributes).readonly);
    return new Map(writable.map(key => [key, `write_${parts.get(key)}`]));
  }

  #line(key, tool) {
    const { type, contentType } = this._entries.get(key).attributes;
    if (type === 'image') return `image ${key} available`;
    if (isBinary(type)) {
      const hint = tool ? `. You can update this file using the ${tool} tool.` : '';
      return `${key}: [FILE] - ${contentType ?? 'unknown format'}${hint}`;
    }
    const value = this._text(key);
    const hint = `. You can rewrite "${key}" by using the ${tool} tool. This tool DOES NOT append — start your response with the old value (${value})`;
    return `${key}: ${value}${tool ? hint : ''}`;
  }
}
