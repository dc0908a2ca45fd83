import { describe, expect, it } from 'vitest';
import { type ContentRef, HERE } from '../../src/format/content-ref.ts';
import { type ClosedResult, isSameResult } from '../../src/sessions/closed-result.ts';

const time = '2026-03-01T12:00:00.000Z';
const refTo = (digit: string): ContentRef => ({ place: HERE, kind: 'key', name: digit.repeat(64) });

/** A result of two rows, whose values hold these references. */
function resultOf(a: readonly ContentRef[] | undefined, b: readonly ContentRef[] | undefined): ClosedResult {
  const row = { type: 'Film', encoding: 'film', bytes: 20, key: 'f'.repeat(64), inline: { base64: '' } };
  const artifacts = [
    { name: 'a', ...row, ...(a && { refs: a }) },
    { name: 'b', ...row, ...(b && { refs: b }) },
  ];
  return {
    done: { outcome: 'done', session: '0'.repeat(26), closedAt: time },
    startedAt: time,
    described: { table: { artifacts }, reports: [], metadata: {}, readFrom: [] },
    purged: false,
    deleted: false,
  };
}

describe('two results', () => {
  const [one, two] = [refTo('1'), refTo('2')];

  it('are the same where each artifact refers to the same, in any order', () => {
    expect(isSameResult(resultOf([one, two], [two]), resultOf([two, one], [two]))).toBe(true);
    expect(isSameResult(resultOf(undefined, [one]), resultOf(undefined, [one]))).toBe(true);
  });

  it('differ where other artifacts hold the same references', () => {
    expect(isSameResult(resultOf([one], [two]), resultOf([two], [one]))).toBe(false);
    expect(isSameResult(resultOf([one], undefined), resultOf(undefined, [one]))).toBe(false);
  });
});
