import { describe, expect, it } from 'vitest';
import { type ArtifactEntry, decodeDescription } from '../../src/format/description.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import { errorOf } from '../flow/fixtures.ts';

const text = (value: unknown): string => JSON.stringify(value);
const levels = (count: number): string => '['.repeat(count) + ']'.repeat(count);

/** A description of one artifact, whose name and value are given as JSON text. */
function described(name: string, json: string): Uint8Array {
  const row = { type: 'number', encoding: 'msgpack', key: 'ab'.repeat(32), bytes: 1 };
  const record = encodeRecord({
    format: 1,
    kind: 'metadata',
    session: newSessionId(),
    loose: true,
    startedAt: '2026-03-01T12:00:00.000Z',
    artifacts: [{ ...row, name: 'NAME', json: 'JSON' }],
    metadata: {},
    readFrom: [],
  });
  // The digest covers what stands there in the end; DONE names that of the whole.
  return Buffer.from(Buffer.from(record).toString().replace('"NAME"', name).replace('"JSON"', json));
}
function firstRow(name: string, json: string): ArtifactEntry {
  const { table } = decodeDescription(described(name, json), 'metadata.json', { loose: true });
  if (typeof table !== 'function') throw new Error('The table stands in the record.');
  return table().artifacts[0] as ArtifactEntry;
}
const inlineOf = (json: string): unknown => (firstRow(text('x'), json).inline as { json: unknown }).json;

describe('a row', () => {
  it.each(['../../etc/passwd', '..', 'a/b', 'a\\b', '', 'a\0b', 'x'.repeat(200)])(
    'of a name that nobody can give, %j, damages its record',
    async (name) => {
      const decode = async () => firstRow(text(name), '1');
      expect((await errorOf(decode, 'RECORD_DAMAGED')).message).toContain('a name that nobody can give');
    },
  );

  it('has integers as far as they are exact, and the nearest float beyond', () => {
    expect(inlineOf('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(inlineOf('5.0')).toBe(5);
    expect(inlineOf('9007199254740993')).toBe(9_007_199_254_740_992);
    expect(inlineOf('1e400')).toBe(Number.POSITIVE_INFINITY);
  });

  it('of 597 levels is read, and one of 598 damages its record', async () => {
    expect(JSON.stringify(inlineOf(levels(597)))).toBe(levels(597));
    await errorOf(async () => inlineOf(levels(598)), 'RECORD_DAMAGED');
  });
});
