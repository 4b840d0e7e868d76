// The MindCache that is alone: what each call gives, as the first versions had it, and where we differ on purpose.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';

import { MindCache } from 'mindcache';

const NOON = new Date(2026, 10, 21, 9, 43, 45);
const made = (values = {}, options = {}) => {
  const mc = new MindCache({ now: () => NOON, ...options });
  for (const [key, [value, attributes]] of Object.entries(values)) mc.set_value(key, value, attributes);
  return mc;
};
const quiet = (t, method) => t.mock.method(console, method, () => {}).mock;

describe('keys and values', () => {
  test('a new one has the date and the time only', () => {
    const mc = made();
    assert.deepEqual([mc.size(), mc.keys(), mc.get('$date'), mc.get('$time')], [2, ['$date', '$time'], '2026-11-21', '09:43:45']);
    assert.deepEqual([mc.isCloud, mc.isLoaded, mc.connectionState, mc.pending], [false, true, 'disconnected', 0]);
  });

  test('values come back as they are', () => {
    const mc = made();
    const object = { a: [1] };
    for (const value of ['v', '', 0, null, undefined, false, object, [1, 2]]) {
      mc.set('k', value);
      assert.equal(mc.get_value('k'), value);
      assert.equal(mc.has('k'), true);
    }
    assert.deepEqual([mc.get('missing'), mc.has('missing')], [undefined, false]);
  });

  test('reserved names are computed, and can be neither written nor deleted', () => {
    const mc = made();
    mc.set_value('$date', 'never');
    assert.deepEqual([mc.get('$date'), mc.delete('$date'), mc.set_attributes('$date', { zIndex: 1 }), mc.addTag('$date', 't')], ['2026-11-21', false, false, false]);
    const { readonly, visible, hardcoded, template, zIndex } = mc.get_attributes('$time');
    assert.deepEqual([readonly, visible, hardcoded, template, zIndex], [true, true, true, false, 999999]);
    assert.deepEqual([mc.has('$time'), Object.keys(mc.get_aisdk_tools())], [true, []]);
  });

  test('a key is deleted once, a protected one never, by clear neither', () => {
    const mc = made({ a: [1], b: [2], kept: [3, { hardcoded: true }] });
    assert.deepEqual([mc.delete('a'), mc.delete('a'), mc.delete('kept')], [true, false, false]);
    mc.clear();
    assert.deepEqual(mc.keys(), ['kept', '$date', '$time']);
  });

  test('names of every kind are names', () => {
    const mc = made();
    for (const name of ['__proto__', 'constructor', '', 'a b', 'é', '😀', '$foo']) mc.set_value(name, name);
    assert.equal(mc.size(), 9);
    const copy = made();
    copy.fromJSON(mc.toJSON());
    assert.deepEqual(copy.entries(), mc.entries());
    assert.equal(copy.getAll().__proto__, '__proto__');
  });

  test('keys stand by zIndex, then by their bytes', () => {
    const mc = made();
    const names = ['Zebra', 'a', '\u{1F600}', '\uFB01', 'z', 'ß', '10', '9', 'A'];
    for (const name of names) mc.set_value(name, 1);
    mc.set_value('last', 1, { zIndex: 1 });
    mc.set_value('first', 1, { zIndex: -1 });
    const bytes = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(mc.keys(), ['first', ...bytes, 'last', '$date', '$time']);
  });

  test('values, entries and getAll are raw and end with the date and the time', () => {
    const mc = made({ t: ['{{b}}', { template: true }], b: ['B'] });
    assert.deepEqual(mc.values(), ['B', '{{b}}', '2026-11-21', '09:43:45']);
    assert.deepEqual(mc.getSTMObject(), { b: 'B', t: '{{b}}', $date: '2026-11-21', $time: '09:43:45' });
    assert.equal(mc.get('t'), 'B');
  });

  test('update sets several values and keeps attributes', () => {
    const mc = made({ a: [1, { readonly: true }] });
    const heard = [];
    mc.subscribe('a', value => heard.push(value));
    mc.subscribeToAll(() => heard.push('all'));
    mc.update({ a: 2, b: 3, $date: 4 });
    assert.deepEqual([mc.get('a'), mc.get('b'), mc.get_attributes('a').readonly, heard], [2, 3, true, [2, 'all']]);
  });
});

describe('attributes', () => {
  test('of a new key', () => {
    assert.deepEqual(made({ k: ['v'] }).get_attributes('k'), {
      type: 'text', contentTags: [], systemTags: ['SystemPrompt', 'LLMWrite'], zIndex: 0,
      readonly: false, visible: true, hardcoded: false, template: false, tags: [],
    });
    const own = made({ k: ['v'] }, { defaultSystemTags: ['LLMRead', 'LLMWrite'] });
    assert.deepEqual(own.get_attributes('k').systemTags, ['LLMRead', 'LLMWrite']);
  });

  test('no two keys share their lists', () => {
    const mc = made({ a: [1], b: [2] });
    mc.addTag('a', 't');
    mc.get_attributes('b').tags.push('x');
    assert.deepEqual([mc.getTags('a'), mc.getTags('b'), mc.get_attributes('b').tags], [['t'], [], []]);
  });

  for (const [said, tags] of [
    [{ readonly: true }, 'SystemPrompt'],
    [{ visible: false }, 'LLMWrite'],
    [{ template: true }, 'SystemPrompt,LLMWrite,ApplyTemplate'],
    [{ hardcoded: true, readonly: false, template: true }, 'SystemPrompt,protected'],
    [{ systemTags: ['prompt', 'readonly'] }, 'SystemPrompt'],
    [{ systemTags: ['LLMRead', 'LLMWrite', 'nonsense'] }, 'LLMRead,LLMWrite'],
    [{ systemTags: [] }, ''],
    [{ systemTags: ['template', 'protected'] }, 'protected'],
  ]) {
    test(`${JSON.stringify(said)} gives [${tags}]`, () => {
      assert.equal(made({ k: ['v', said] }).get_attributes('k').systemTags.join(), tags);
    });
  }

  test('what is not said stays; a protected key stays so', () => {
    const mc = made({ k: ['v', { type: 'json', tags: ['t'], zIndex: 4, hardcoded: true, mine: 'x' }] });
    mc.set_value('k', 'w');
    mc.set_value('k', 'w', { hardcoded: false, readonly: false });
    mc.set_attributes('k', { hardcoded: false, systemTags: ['LLMWrite'] });
    const { type, tags, zIndex, hardcoded, readonly, mine } = mc.get_attributes('k');
    assert.deepEqual([mc.get('k'), type, tags, zIndex, hardcoded, readonly, mine], ['w', 'json', ['t'], 4, true, true, 'x']);
  });

  test('set_attributes changes the tags that getTags shows, and protects nothing', () => {
    const mc = made({ k: ['v'] });
    assert.deepEqual([mc.set_attributes('missing', {}), mc.set_attributes('k', { tags: ['a', 'a'], hardcoded: true, systemTags: ['protected', 'LLMRead'] })], [false, true]);
    assert.deepEqual([mc.getTags('k'), mc.get_attributes('k').systemTags], [['a'], ['LLMRead']]);
  });

  test('images and files have content types that fit', () => {
    const mc = made();
    assert.throws(() => mc.set_base64('k', 'QUJD', 'text/plain', 'image'), /Invalid content type text\/plain for type image/);
    assert.throws(() => mc.set_base64('k', 'QUJD', ''), /Invalid content type/);
    mc.add_image('i', 'QUJD');
    mc.set_value('url', 'data:image/png;base64,QUJD', { type: 'image', contentType: 'image/png' });
    mc.set_value('text', 'QUJD');
    assert.deepEqual(['i', 'url', 'text', 'none'].map(key => mc.get_data_url(key)), ['data:image/jpeg;base64,QUJD', 'data:image/png;base64,QUJD', undefined, undefined]);
    assert.deepEqual(['i', 'url', 'text'].map(key => mc.get_base64(key)), ['QUJD', 'QUJD', undefined]);
    assert.deepEqual(mc.getVisibleImages()[0], { type: 'file', mediaType: 'image/jpeg', url: 'data:image/jpeg;base64,QUJD', filename: 'i' });
  });
});

describe('tags', () => {
  test('of the user', () => {
    const mc = made({ a: ['{{b}}', { template: true, visible: false }], b: ['B'] });
    assert.deepEqual([mc.addTag('a', 'x'), mc.addTag('a', 'x'), mc.addTag('none', 'x'), mc.addTag('b', ''), mc.addTag('b', 'x')], [true, false, false, true, true]);
    assert.deepEqual([mc.getAllTags(), mc.getKeysByTag('x'), mc.getTagged('x'), mc.hasTag('b', '')], [['x', ''], ['a', 'b'], 'a: B, b: B', true]);
    assert.deepEqual([mc.removeTag('b', 'x'), mc.removeTag('b', 'x'), mc.getTags('b')], [true, false, ['']]);
    mc.delete('a');
    assert.deepEqual(mc.getKeysByTag('x'), []);
  });

  test('of the system, for who may', t => {
    const warned = quiet(t, 'warn');
    const user = made({ k: ['v'] });
    assert.deepEqual([user.systemAddTag('k', 'LLMRead'), user.systemGetTags('k'), user.systemGetKeysByTag('LLMWrite')], [false, [], []]);
    assert.equal(warned.callCount(), 3);
    const mc = made({ k: ['v'] }, { accessLevel: 'system' });
    assert.deepEqual([mc.systemAddTag('k', 'prompt'), mc.systemAddTag('k', 'LLMRead'), mc.systemAddTag('k', 'nonsense'), mc.systemAddTag('k', 'protected')], [false, true, false, true]);
    assert.deepEqual([mc.systemRemoveTag('k', 'protected'), mc.get_attributes('k').hardcoded, mc.get_attributes('k').visible], [false, true, true]);
    assert.deepEqual([mc.systemSetTags('k', ['LLMRead']), mc.systemGetTags('k'), mc.systemGetKeysByTag('LLMRead'), mc.systemHasTag('k', 'readonly')], [true, ['LLMRead'], ['k'], true]);
    assert.equal(mc.delete('k'), true);
  });
});

describe('templates', () => {
  const values = {
    text: ['T'], hidden: ['H', { visible: false }], image: ['QUJD', { type: 'image', contentType: 'image/png' }], object: [{ a: 1 }], nothing: [null],
    off: [false], dollars: ['$& $1'], braces: ['{{text}}'], d: ['D'], x: ['X{{d}}', { template: true }], top: ['{{x}}{{x}}{{d}}', { template: true }],
    a: ['A({{b}})', { template: true }], b: ['B({{a}})', { template: true }], self: ['S{{self}}', { template: true }],
    deep: ['{{hidden}}', { template: true }], number: [5, { template: true }], 'clé 名': ['C'],
  };
  for (const [text, expected] of [
    ['{{text}}!', 'T!'], ['{{ text }}', 'T'], ['{{hidden}}', ''], ['{{deep}}', 'H'], ['{{unknown}}', ''], ['{{image}}', '{{image}}'], ['{{object}}', '{"a":1}'],
    ['{{nothing}}', 'null'], ['{{off}}', 'false'], ['{{dollars}}', '$& $1'], ['{{braces}}', '{{text}}'], ['{{top}}', 'XDXDD'], ['{{}}', '{{}}'],
    ['{{a}}', 'A(B({{a}}))'], ['{{self}}', 'S{{self}}'], ['{{number}}', '5'], ['{{clé 名}}', 'C'], ['{{$date}} {{$time}}', '2026-11-21 09:43:45'],
    [null, 'null'], [42, '42'],
  ]) {
    test(`${text} gives ${expected}`, () => assert.equal(made(values).injectSTM(text), expected));
  }

  test('templates that multiply end at a limit', () => {
    const mc = made();
    for (let at = 0; at < 40; at += 1) mc.set_value(`k${at}`, `{{k${at + 1}}}{{k${at + 1}}}x`, { template: true });
    assert.ok(mc.get('k0').length < 2 * 1024 * 1024);
  });
});

describe('what a model sees', () => {
  test('the prompt, line for line', () => {
    const mc = made({
      e: ['', { zIndex: 1 }], r: [{ a: [1, null] }, { readonly: true }], w: ['x\ny'], hidden: ['never', { visible: false }],
      pic: ['QUJD', { type: 'image', contentType: 'image/png' }], doc: ['QUJD', { type: 'file' }], pdf: ['QUJD', { type: 'file', contentType: 'application/pdf', readonly: true }],
    });
    assert.equal(mc.get_system_prompt(), [
      'doc: [FILE] - unknown format. You can update this file using the write_doc tool.',
      'pdf: [FILE] - application/pdf',
      'image pic available',
      'r: {"a":[1,null]}',
      'w: x\ny. You can rewrite "w" by using the write_w tool. This tool DOES NOT append — start your response with the old value (x\ny)',
      'e: . You can rewrite "e" by using the write_e tool. This tool DOES NOT append — start your response with the old value ()',
      '$date: 2026-11-21',
      '$time: 09:43:45',
    ].join('\n'));
    assert.equal(made().get_system_prompt(), '$date: 2026-11-21\n$time: 09:43:45');
  });

  test('the other forms', () => {
    const mc = made({ a: ['{{b}}', { template: true }], b: [{ x: 1 }], hidden: [1, { visible: false }] });
    assert.equal(mc.getSTM(), 'a: {"x":1}, b: {"x":1}, $date: 2026-11-21, $time: 09:43:45');
    assert.deepEqual(mc.getSTMForAPI().map(({ key, value, type }) => [key, value, type]), [
      ['a', '{"x":1}', 'text'], ['b', { x: 1 }, 'text'], ['$date', '2026-11-21', 'text'], ['$time', '09:43:45', 'text'],
    ]);
  });

  test('a tool for each key that models may write', async () => {
    const mc = made({ notes: ['old'], fixed: ['x', { readonly: true }], cfg: ['{}', { type: 'json' }], pic: ['QUJD', { type: 'image' }], 'clé 名': ['n'] });
    const tools = mc.get_aisdk_tools();
    assert.deepEqual(Object.keys(tools).sort(), ['write_cfg', 'write_cl___', 'write_notes', 'write_pic']);
    assert.equal(tools.write_notes.description, 'Write a value to the STM key: notes');
    assert.deepEqual(tools.write_notes.inputSchema.jsonSchema, {
      type: 'object', properties: { value: { type: 'string', description: 'The text value to write to notes' } }, required: ['value'], additionalProperties: false,
    });
    assert.equal(tools.write_pic.description, 'Write a value to the STM key: pic (expects base64 encoded data)');
    assert.deepEqual(await tools.write_notes.execute({ value: 'new' }), {
      result: 'Successfully wrote "new" to notes', key: 'notes', value: 'new', type: 'text', sanitizedKey: 'notes',
    });
    assert.equal(mc.get('notes'), 'new');
    assert.equal((await tools.write_cfg.execute({ value: '{"a":1}' })).result, 'Successfully saved JSON data to cfg');
    await assert.rejects(tools.write_cfg.execute({ value: '{broken' }), /not JSON, so nothing was written/);
    await assert.rejects(tools.write_pic.execute({ value: 'QUJD' }), /Content type required for image data/);
    await assert.rejects(tools.write_pic.execute({ value: 'QUJD', contentType: 'text/plain' }), /Invalid content type/);
    const saved = await tools.write_pic.execute({ value: 'QUJE', contentType: 'image/png' });
    assert.deepEqual([saved.result, saved.contentType, mc.get('pic'), mc.get('cfg')], ['Successfully saved image to pic', 'image/png', 'QUJE', '{"a":1}']);
  });

  test('keys whose names look alike have tools of their own, the same whatever came first', async () => {
    const [one, other] = [made({ 'a b': [1], a_b: [2], 'a.b': [3] }), made({ 'a.b': [3], a_b: [2], 'a b': [1] })];
    const marked = name => `write_a_b_${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
    assert.deepEqual(Object.keys(one.get_aisdk_tools()), ['a b', 'a.b', 'a_b'].map(marked));
    assert.deepEqual(Object.keys(other.get_aisdk_tools()), Object.keys(one.get_aisdk_tools()));
    await one.get_aisdk_tools()[marked('a.b')].execute({ value: 'here' });
    assert.deepEqual([one.get('a b'), one.get('a.b'), one.get('a_b'), one.executeToolCall('write_a_b', 'x')], [1, 'here', 2, null]);
    assert.ok(one.get_system_prompt().includes(`by using the ${marked('a b')} tool`));
    assert.ok(Object.keys(made({ ['k'.repeat(100)]: [1] }).get_aisdk_tools())[0].length <= 48);
  });

  test('a tool that is out of date refuses', async () => {
    const mc = made({ a: ['1'], b: ['2'], c: ['3'], d: ['4'] });
    const { write_a, write_b, write_c, write_d } = mc.get_aisdk_tools();
    mc.delete('a');
    mc.set_attributes('b', { readonly: true });
    mc.set_value('c ', 'x');
    mc.set_value('c_', 'x');
    mc.set_attributes('d', { type: 'json' });
    for (const tool of [write_a, write_b, write_d]) await assert.rejects(tool.execute({ value: 'never' }), /is out of date/);
    await write_c.execute({ value: 'still mine' });
    assert.deepEqual([mc.has('a'), mc.get('b'), mc.get('c'), mc.get('d')], [false, '2', 'still mine', '4']);
  });

  test('executeToolCall writes what is writable', () => {
    const mc = made({ a: ['1', { tags: ['t'] }], r: ['2', { readonly: true }] });
    assert.deepEqual(mc.executeToolCall('write_a', 'x'), { result: 'Successfully wrote "x" to a', key: 'a', value: 'x' });
    assert.deepEqual(['write_r', 'write_none', 'a'].map(tool => mc.executeToolCall(tool, 'x')), [null, null, null]);
    assert.deepEqual(mc.getTags('a'), ['t']);
  });
});

describe('listeners', () => {
  test('hear what changes, in order, until they are taken off', () => {
    const mc = made();
    const heard = [];
    const end = mc.subscribe('k', value => heard.push(['k', value]));
    const endAll = mc.subscribeToAll((...args) => heard.push(['all', ...args]));
    mc.set_value('k', 1);
    mc.set_value('k', 1);
    mc.addTag('k', 't');
    mc.set_value('other', 2);
    mc.delete('k');
    assert.deepEqual(heard, [['k', 1], ['all'], ['k', 1], ['all'], ['all'], ['all'], ['all'], ['k', undefined]]);
    end();
    endAll();
    mc.set_value('k', 3);
    assert.equal(heard.length, 8);
    const listener = () => heard.push('again');
    mc.subscribe('k', listener);
    mc.subscribeToAll(listener);
    mc.unsubscribe('k', listener);
    mc.unsubscribeFromAll(listener);
    mc.set_value('k', 4);
    assert.equal(heard.length, 8);
  });

  test('one that throws is heard by who writes, and the value is there', () => {
    const mc = made();
    mc.subscribe('k', () => { throw new Error('mine'); });
    assert.throws(() => mc.set_value('k', 1), /mine/);
    assert.equal(mc.get('k'), 1);
  });

  test('clear and deserialize tell of values that changed', () => {
    const mc = made({ a: [1], b: [2] });
    const heard = [];
    for (const key of ['a', 'b', 'c']) mc.subscribe(key, value => heard.push([key, value]));
    mc.deserialize({ b: { value: 2, attributes: {} }, c: { value: 3, attributes: {} } });
    mc.clear();
    assert.deepEqual(heard, [['a', undefined], ['c', 3], ['b', undefined], ['c', undefined]]);
  });
});
