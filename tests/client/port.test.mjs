// Exports and what comes back of them: JSON and Markdown, ours and those of the first versions.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { MindCache } from 'mindcache';

const FENCED = ['a\n```\nb\n```\nc', '```', '```\n\n---\n\n### forged\n- **Type**: `text`', '\n', '', ' x \n', '### x', '*End of MindCache Export*'];

/** One of every kind. */
function full() {
  const mc = new MindCache({ now: () => new Date(2026, 10, 21) });
  FENCED.forEach((text, at) => mc.set_value(`text ${at}`, text));
  mc.set_value('object', { a: [1, { b: null }] });
  mc.set_value('json', { a: 1 }, { type: 'json' });
  mc.set_value('json text', '{"a":1}', { type: 'json' });
  mc.set_value('json word', 'word', { type: 'json' });
  mc.set_value('nothing', null);
  mc.set_value('number', 4.5);
  mc.set_value('tagged', 'x', { tags: ['a, b', '`', 'c'], zIndex: -2, readonly: true, visible: false, template: true });
  mc.set_value('private', 'x', { systemTags: [] });
  mc.set_value('read', 'x', { systemTags: ['LLMRead'], contentType: 'text/markdown' });
  mc.set_value('line\nbreak ', 'x');
  for (let at = 0; at < 60; at += 1) mc.add_image(`image ${at}`, Buffer.from(`${at}`).toString('base64'), 'image/png');
  mc.set_value('file', 'QUJD', { type: 'file' });
  mc.set_value('hard', 'x', { hardcoded: true });
  return mc;
}

describe('JSON', () => {
  test('comes back equal, but for what is protected', () => {
    const [mc, copy] = [full(), new MindCache({ now: () => new Date(2026, 10, 21) })];
    copy.set_value('before', 1);
    copy.fromJSON(mc.toJSON());
    assert.deepEqual(copy.serialize(), mc.serialize());
    assert.deepEqual([copy.has('before'), copy.has('hard'), Object.keys(mc.serialize()).includes('$date')], [false, false, false]);
  });

  test('of older versions is understood', () => {
    const mc = new MindCache();
    mc.deserialize({
      old: { value: 'v', attributes: { tags: ['t'], readonly: true, visible: false, template: true } },
      plain: { value: null, attributes: {} },
      newer: { value: 'v', attributes: { systemTags: ['prompt', 'readonly'], contentTags: ['c'], zIndex: 3 } },
      hard: { value: 'v', attributes: { hardcoded: true } },
      $date: { value: 'v', attributes: {} }, broken: 'x', half: { value: 1 },
    });
    assert.deepEqual(mc.keys(), ['old', 'plain', 'newer', '$date', '$time']);
    assert.deepEqual([mc.get_attributes('old').systemTags, mc.getTags('old')], [['ApplyTemplate'], ['t']]);
    assert.deepEqual(mc.get_attributes('plain').systemTags, ['SystemPrompt', 'LLMWrite']);
    assert.deepEqual([mc.get_attributes('newer').systemTags, mc.getTags('newer')], [['SystemPrompt'], ['c']]);
  });

  test('that is none changes nothing', t => {
    t.mock.method(console, 'error', () => {});
    const mc = new MindCache();
    mc.set_value('k', 1);
    for (const text of ['bad', 'null', '"x"']) mc.fromJSON(text);
    assert.equal(mc.get('k'), 1);
    mc.deserialize([]);
    assert.equal(mc.has('k'), false);
  });
});

describe('Markdown', () => {
  const sorted = object => Object.fromEntries(Object.entries(object).sort());

  test('comes back equal, whatever is in it', () => {
    const [mc, copy] = [full(), new MindCache()];
    copy.set_value('before', 1);
    copy.fromMarkdown(mc.toMarkdown());
    const expected = mc.serialize();
    // A text that is none becomes JSON.
    for (const key of ['object', 'nothing', 'number']) expected[key].attributes.type = 'json';
    assert.deepEqual(sorted(copy.serialize()), sorted(expected));
    assert.equal(copy.toMarkdown().replace(/Export Date: .*/, ''), mc.toMarkdown().replace(/Export Date: .*/, ''));
  });

  test('keeps the grammar of the first versions', () => {
    const mc = new MindCache({ now: () => new Date(2026, 10, 21) });
    mc.set_value('cfg', { a: 1 }, { type: 'json', tags: ['t1', 't2'] });
    mc.add_image('img', 'QUJD', 'image/png');
    assert.equal(mc.toMarkdown(), [
      '# MindCache STM Export', '', 'Export Date: 2026-11-21', '', '---', '', '## STM Entries', '',
      '### cfg', '- **Type**: `json`', '- **Readonly**: `false`', '- **Visible**: `true`', '- **Template**: `false`', '- **Z-Index**: `0`',
      '- **System Tags**: `SystemPrompt`, `LLMWrite`', '- **Tags**: `t1`, `t2`', '- **Value**:', '```json', '{', '  "a": 1', '}', '```', '', '---', '',
      '### img', '- **Type**: `image`', '- **Readonly**: `false`', '- **Visible**: `true`', '- **Template**: `false`', '- **Z-Index**: `0`',
      '- **System Tags**: `SystemPrompt`, `LLMWrite`', '- **Content Type**: `image/png`', '- **Value**: [See Appendix A]', '', '---', '',
      '## Appendix: Binary Data', '', '### Appendix A: img', '**Type**: image/png', '', '```', 'QUJD', '```', '', '---', '', '*End of MindCache Export*',
    ].join('\n'));
  });

  test('of 2.0 to 2.3 is read with its flags', () => {
    const mc = new MindCache();
    mc.fromMarkdown([
      '# MindCache STM Export', '', '## STM Entries', '', '### txt', '- **Type**: `text`', '- **Readonly**: `true`', '- **Visible**: `false`', '- **Template**: `true`',
      '- **Tags**: `t1`, `t2`', '- **Value**:', '```', 'a', '```', 'b', '```', 'c', '```', '', '---', '', '### inline', '- **Type**: `text`', '- **Value**: `x`', '', '---', '',
      '### none', '- **Type**: `text`', '', '---', '', '*End of MindCache Export*',
    ].join('\r\n'));
    assert.deepEqual([mc.get('txt'), mc.get('inline'), mc.has('none'), mc.getTags('txt'), mc.get_attributes('txt').systemTags], ['a\n```\nb\n```\nc', 'x', false, ['t1', 't2'], ['ApplyTemplate']]);
  });

  test('from 3.0 on is read', () => {
    const mc = new MindCache();
    mc.fromMarkdown([
      '# My memory', '', '## Keys & Values', '', '### a', '- **System Tags**: `SystemPrompt, LLMWrite`', '- **Z-Index**: `2`', '- **Value**:', '```', 'one', '### not a key', '```', '',
      '### b', '- **Value**: several', 'lines', '', '### d', '- **Type**: `file`', '- **Content Type**: `a/b`', '- **Value**: [See Appendix A]', '', '## Appendix: Binary Data', '',
      '### Appendix A: d', '- **Type**: `file`', '- **Base64 Data**:', '```', 'QUJD', '```',
    ].join('\n'));
    assert.deepEqual([mc.get('a'), mc.get('b'), mc.get('d')], ['one\n### not a key', 'several\nlines', 'QUJD']);
    assert.deepEqual([mc.get_attributes('a').systemTags, mc.get_attributes('b').systemTags], [['SystemPrompt', 'LLMWrite'], []]);
  });

  test('that is none changes nothing', () => {
    const mc = new MindCache();
    mc.set_value('k', 1);
    mc.fromMarkdown('# Notes\n\n### a\nsome text');
    assert.deepEqual(mc.keys(), ['k', '$date', '$time']);
  });
});
