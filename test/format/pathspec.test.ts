import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPathspec, parseAttemptName, splitRunName } from '../../src/format/pathspec.ts';
import { isUserName } from '../../src/storage/names.ts';
import { test } from '../property.ts';

const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter(isUserName);

describe('the name of an attempt in records', () => {
  test.prop([fc.record({ flow: name, run: name, step: name, task: name }), fc.maxSafeNat()])(
    'is read as it was written',
    (path, attempt) => {
      expect(parseAttemptName(`${path.flow}/${formatPathspec(path, attempt)}`)).toEqual({ ...path, attempt });
    },
  );

  it.each([
    '',
    'Test/r1/fit/0',
    'Test/r1/fit/0/0/0',
    'Test/r1/fit/0/-1',
    'Test/r1/fit/0/00',
    'Test/r1/fit/0/1e3',
    'Test/r1/fit/0/9007199254740993',
    'Test/../fit/0/0',
    'Test//fit/0/0',
    'Test/r1/fit/a\nb/0',
  ])('is not %j', (text) => {
    expect(parseAttemptName(text)).toBeUndefined();
  });
});

describe('the name of a run in records', () => {
  it('has two parts, whatever they are', () => {
    expect(splitRunName('Test/r1')).toEqual({ flow: 'Test', run: 'r1' });
    expect(splitRunName('/')).toEqual({ flow: '', run: '' });
    for (const other of ['', 'Test', 'Test/r1/fit', 1, undefined, null])
      expect(splitRunName(other)).toBeUndefined();
  });
});
