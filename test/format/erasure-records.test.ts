import { describe, expect, it } from 'vitest';
import vectors from '../../docs/format-vectors/erasure.json' with { type: 'json' };
import { isStowageError } from '../../src/errors.ts';
import {
  decodeErasedContent,
  decodeErasureRound,
  type ErasureRound,
  encodeErasedContent,
  encodeErasureRound,
  erasedContentName,
  erasureRoundName,
  parseErasedContentName,
  parseErasureRoundName,
} from '../../src/format/erasure-records.ts';
import { encodeRecord } from '../../src/format/record.ts';

const { round, content } = vectors;

describe('the records of an erasure', () => {
  it('are those of the vectors', () => {
    const { erasure, round: number } = round.value;
    expect(parseErasureRoundName(round.name)).toEqual({ erasure, round: number });
    expect(erasureRoundName(erasure, number)).toBe(round.name);
    const read = decodeErasureRound(Buffer.from(round.record), round.name, { erasure, round: number });
    expect(read).toEqual(round.value);
    expect(Buffer.from(encodeErasureRound(round.value as ErasureRound)).toString()).toBe(round.record);
    const { key } = content.value;
    expect(parseErasedContentName(content.name)).toEqual({ key, erasure });
    expect(erasedContentName(key, erasure)).toBe(content.name);
    expect(decodeErasedContent(Buffer.from(content.record), content.name, { key, erasure })).toEqual(
      content.value,
    );
    expect(Buffer.from(encodeErasedContent(content.value)).toString()).toBe(content.record);
  });

  it('are told apart by their names, and from all others', () => {
    expect(parseErasureRoundName(content.name)).toBeUndefined();
    expect(parseErasedContentName(round.name)).toBeUndefined();
    expect(parseErasureRoundName(`${round.name}.damaged`)).toBeUndefined();
  });

  it.each([
    ['keys', ['x']],
    ['packs', [{ place: '' }]],
    ['left', 'x'],
    ['state', 'over'],
    ['waitsFor', [1]],
    ['by', { host: 'a' }],
    ['erasure', 'another'],
  ])('of %s that can be none are damaged', (member, value) => {
    const record = encodeRecord({ format: 1, kind: 'erasure', ...round.value, [member]: value });
    const { erasure, round: number } = round.value;
    const read = (): unknown => decodeErasureRound(record, round.name, { erasure, round: number });
    expect(read).toThrow(expect.toSatisfy((error) => isStowageError(error, 'RECORD_DAMAGED')));
  });
});
