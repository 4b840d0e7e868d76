// Tools with which models write keys, in the shape of the `ai` package.
import { booleans } from './attributes.js';
import { checkContentType, isBinary } from './binary.js';
import { PromptedKeys } from './prompt.js';
import { sanitised } from './tool-names.js';

/** What marks a schema for the `ai` package, so that it need not be there. */
const SCHEMA = Symbol.for('vercel.ai.schema');
const VALIDATOR = Symbol.for('vercel.ai.validator');

const ABOUT = { json: ' (expects JSON string)', image: ' (expects base64 encoded data)', file: ' (expects base64 encoded data)' };

export class ToolKeys extends PromptedKeys {
  /** A tool for each key that models may write, by its name. */
  get_aisdk_tools() {
    return Object.fromEntries([...this._toolNames()].map(([key, tool]) => [tool, this.#tool(tool, key)]));
  }

  /** Does what a model asked for; null when no tool is called so now, or when models may not write its key. */
  executeToolCall(tool, value) {
    const found = [...this._toolNames()].find(([, name]) => name === tool);
    if (!found) return null;
    const [key] = found;
    this.set_value(key, value);
    return { result: `Successfully wrote "${value}" to ${key}`, key, value };
  }

  #tool(tool, key) {
    const { type } = this._entries.get(key).attributes;
    const inputSchema = schema(key, type);
    return {
      description: `Write a value to the STM key: ${key}${ABOUT[type] ?? ''}`,
      inputSchema,
      // The name that versions of the `ai` package before 5 look for.
      parameters: inputSchema,
      execute: async input => this.#write(tool, key, type, input ?? {}),
    };
  }

  /** Writes for a tool that may be older than the keys are now. */
  #write(tool, key, type, { value, contentType }) {
    const entry = this._entries.get(key);
    if (!entry || booleans(entry.attributes).readonly || entry.attributes.type !== type || this._toolNames().get(key) !== tool) {
      throw new Error(`The tool ${tool} is out of date: "${key}" was deleted, renamed or may no longer be written so. Ask for the tools again.`);
    }
    if (typeof value !== 'string') throw new Error(`The tool ${tool} needs a string as its value.`);
    const done = { result: `Successfully wrote "${value}" to ${key}`, key, value, type, sanitizedKey: sanitised(key) };
    if (isBinary(type)) {
      const told = contentType || entry.attributes.contentType;
      if (!told) throw new Error(`Content type required for ${type} data`);
      checkContentType(type, told);
      this.set_value(key, value, { contentType: told });
      return { ...done, contentType: told, result: `Successfully saved ${type} to ${key}` };
    }
    if (type !== 'json') {
      this.set_value(key, value);
      return done;
    }
    try {
      JSON.parse(value);
    } catch (error) {
      throw new Error(`This is not JSON, so nothing was written to ${key}: ${error.message}`);
    }
    this.set_value(key, value);
    return { ...done, result: `Successfully saved JSON data to ${key}` };
  }
}

/** The arguments of a tool: JSON Schema, marked and able to check itself. */
function schema(key, type) {
  const value = {
    json: `JSON string value for ${key}`, image: `Base64 encoded data for ${key}`, file: `Base64 encoded data for ${key}`,
  }[type] ?? `The text value to write to ${key}`;
  const properties = { value: { type: 'string', description: value } };
  if (isBinary(type)) properties.contentType = { type: 'string', description: `MIME type for the ${type}` };
  const validate = input => {
    const isString = name => typeof input?.[name] === 'string';
    if (isString('value') && (input.contentType === undefined || isString('contentType'))) return { success: true, value: input };
    return { success: false, error: new Error('value must be a string') };
  };
  return {
    [SCHEMA]: true, [VALIDATOR]: true, _type: undefined, validate,
    jsonSchema: { type: 'object', properties, required: ['value'], additionalProperties: false },
  };
}
