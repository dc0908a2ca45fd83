import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInputs, parseMetadata } from '../../src/cli/put-arguments.ts';
import { test } from '../property.ts';

describe('<name>=<file>', () => {
  it('is cut at the first "="', () => {
    expect(parseInputs(['raw=a.bin', 'model=dir/x=1.bin', 'log=-'])).toEqual([
      { name: 'raw', file: 'a.bin' },
      { name: 'model', file: 'dir/x=1.bin' },
      { name: 'log', file: '-' },
    ]);
  });

  it.each([
    [['report.html'], '"report.html" is not of the form <name>=<file>'],
    [['a=x', 'b=y', 'a=z'], 'a is named twice'],
    [['a='], 'a= names no file'],
    [['a=-', 'b=-'], 'The standard input can be read once'],
    [['a/b=x'], 'The artifact name "a/b" cannot be used'],
    [['=x'], 'The artifact name "" cannot be used'],
  ])('%j is a mistake', (texts, message) => expect(() => parseInputs(texts)).toThrow(message));
});

describe('--metadata', () => {
  it.each<[string, unknown]>([
    ['3', 3],
    ['-0.5', -0.5],
    ['true', true],
    ['null', null],
    ['"3"', '3'],
    ['{"k":[1]}', { k: [1] }],
    ['', ''],
    ['a=b', 'a=b'],
    ['{bad', '{bad'],
    // As numbers they would lose what they say.
    ['1.10', '1.10'],
    ['12e4567', '12e4567'],
    ['1e5', '1e5'],
    ['12345678901234567890', '12345678901234567890'],
    ['007', '007'],
  ])('%s', (text, value) => expect(parseMetadata([`key=${text}`])).toEqual({ key: value }));

  const anyJson = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'));
  test.prop([anyJson])('takes any JSON', (value) => {
    const { key } = parseMetadata([`key=${JSON.stringify(value)}`]);
    expect(JSON.stringify(key)).toBe(JSON.stringify(value));
  });

  it.each([
    [['key'], 'is not of the form --metadata <key>=<value>'],
    [['=1'], 'has no key'],
    [['a=1', 'a=2'], '--metadata a is given twice'],
    [[`a={"b":1e999}`], 'is not what JSON holds'],
  ])('%j is a mistake', (texts, message) => expect(() => parseMetadata(texts)).toThrow(message));
});
