import { describe, expect, it } from 'vitest';
import { copyName } from '../../src/format/content-names.ts';
import { type ArtifactEntry, decodeDescription, openDescription } from '../../src/format/description.ts';
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

describe('a description that is opened', () => {
  const subject = { loose: true };

  it.each(['x', 'table'])('tells what a decoded one does, of artifact %j', (name) => {
    const bytes = described(text(name), '{"a":[1]}');
    const members = (read: ReturnType<typeof openDescription>) => {
      const { session, startedAt, label, table, values, reports } = read;
      const { metadata, readFrom, cached, takenOver, returned } = read;
      const rows = typeof table === 'function' ? table() : table;
      const own = { session, startedAt, label, rows, values, reports };
      return { ...own, metadata, readFrom, cached, takenOver, returned };
    };
    expect(members(openDescription(bytes, 'metadata.json', subject))).toEqual(
      members(decodeDescription(bytes, 'metadata.json', subject)),
    );
  });

  it('has the fault of its record told by each member that is asked for', async () => {
    const opened = openDescription(Buffer.from('{"format":1}'), 'metadata.json', subject);
    for (let again = 0; again < 2; again += 1) {
      const { message } = await errorOf(async () => opened.startedAt, 'RECORD_DAMAGED');
      expect(message).toContain('metadata.json');
    }
  });

  it.each(['"table"', '"\\u0074able"'])('tells at once of a table that was moved, named by %s', (name) => {
    const key = 'cd'.repeat(32);
    const moved = { key, bytes: 9, copy: copyName('data', key, newSessionId(), 0, 9), storedBytes: 9 };
    const bytes = Buffer.from(described(text('x'), '1'))
      .toString()
      .replace(/"artifacts":\[.*?\]/, `${name}:${text(moved)}`);
    expect(openDescription(Buffer.from(bytes), 'metadata.json', subject).table).toMatchObject(moved);
  });
});
