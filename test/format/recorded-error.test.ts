import { createContext, runInContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStowageError, messageOf, thrownText } from '../../src/errors.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { recordError } from '../../src/format/recorded-error.ts';
import { decodeDone, encodeDone, type RecordedError } from '../../src/format/session-files.ts';
import { propertyRuns, test } from '../property.ts';
import { STRANGE_ERRORS } from '../strange-errors.ts';

function inner(): never {
  throw new Error('inner');
}

/** What a reader of DONE makes of it. */
function recordedAndRead(thrown: unknown): RecordedError | undefined {
  const done = { outcome: 'failed', session: 's', closedAt: new Date(0).toISOString() } as const;
  return decodeDone(encodeDone({ ...done, error: recordError(thrown) }, {}), 'DONE', {}).error;
}

function count({ cause, errors = [] }: RecordedError): number {
  return [...(cause ? [cause] : []), ...errors].reduce((sum, each) => sum + count(each), 1);
}

describe('what was thrown', () => {
  it.each(STRANGE_ERRORS)('is recorded and told, though it is strange: %s', (_, thrown) => {
    const error = recordedAndRead(thrown);
    expect(typeof error?.message).toBe('string');
    for (const text of [thrownText(thrown), messageOf(thrown)]) expect(typeof text).toBe('string');
    expect(isStowageError(thrown)).toBe(false);
  });

  it.each<[string, unknown, Partial<RecordedError>]>([
    ['text', 'text', { name: 'Error', message: 'text' }],
    ['plain data', { code: 7 }, { message: '{"code":7}' }],
    ['data that JSON does not hold', new Map([['code', 7n]]), { message: "Map(1) { 'code' => 7n }" }],
    [
      'a Symbol for its message',
      Object.assign(new Error(), { message: Symbol('m') }),
      { message: 'Symbol(m)' },
    ],
    ['an object for its message', Object.assign(new Error(), { message: { a: 1 } }), { message: '{"a":1}' }],
    [
      'a getter of name that throws',
      Object.defineProperty(new Error('kept'), 'name', { get: inner }),
      { name: 'Error', message: 'kept' },
    ],
    [
      'an error of another realm',
      runInContext("new RangeError('elsewhere', { cause: new Error('why') })", createContext({})),
      { name: 'RangeError', message: 'elsewhere', cause: expect.objectContaining({ message: 'why' }) },
    ],
    [
      'members of an AggregateError',
      new AggregateError([new TypeError('one'), 'two'], 'both'),
      {
        message: 'both',
        errors: [
          expect.objectContaining({ name: 'TypeError', message: 'one' }),
          { name: 'Error', message: 'two' },
        ],
      },
    ],
  ])('is told as well as it can be: %s', (_, thrown, told) => {
    expect(recordedAndRead(thrown)).toMatchObject(told);
  });

  /** As functions that make them: the library that generates values asks them, too. */
  const { error: anyError } = fc.letrec<{ error: () => unknown }>((tie) => ({
    error: fc.oneof(
      { maxDepth: 12 },
      fc.nat(STRANGE_ERRORS.length - 1).map((index) => () => STRANGE_ERRORS[index]?.[1]),
      fc.tuple(fc.string(), tie('error')).map(
        ([message, cause]) =>
          () =>
            new Error(message, { cause: cause() }),
      ),
      fc
        .tuple(
          fc.string({ maxLength: 5, unit: 'binary' }),
          fc.array(tie('error'), { maxLength: 6 }),
          fc.nat(9_000),
        )
        .map(
          ([message, errors, times]) =>
            () =>
              new AggregateError(
                errors.map((make) => make()),
                message.repeat(times),
              ),
        ),
    ),
  }));

  test.prop([anyError], { numRuns: propertyRuns })('is bounded, however it is built', (make) => {
    const error = recordError(make());
    expect(count(error)).toBeLessThanOrEqual(32);
    expect(encodeRecord({ error }).length).toBeLessThan(4 * 1024 * 1024);
    const done = { outcome: 'failed', session: 's', closedAt: new Date(0).toISOString() } as const;
    expect(decodeDone(encodeDone({ ...done, error }, {}), 'DONE', {}).error).toEqual(error);
  });

  it('is bounded at its worst: a tree of errors with long texts', () => {
    const tree = (depth: number): Error =>
      Object.assign(
        new AggregateError(
          depth === 0 ? [] : Array.from({ length: 40 }, () => tree(depth - 1)),
          '\u0001'.repeat(20_000),
        ),
        { stack: '\u0001'.repeat(20_000) },
      );
    const error = recordError(tree(2));
    expect(count(error)).toBe(32);
    expect(encodeRecord({ error }).length).toBeLessThan(4 * 1024 * 1024);
  });
});
