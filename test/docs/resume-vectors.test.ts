import { describe, expect, it } from 'vitest';
import vectors from '../../docs/format-vectors/resumed.json' with { type: 'json' };
import { decodeDescription } from '../../src/format/description.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { decodeRunCreated } from '../../src/format/run-records.ts';

const { subject, created, attempts } = vectors;

describe('the vectors of resumed runs', () => {
  it('read as they say', () => {
    const { flow, run } = subject;
    expect(decodeRunCreated(Buffer.from(created.record), 'created.json', { flow, run })).toEqual(
      created.reads,
    );
    for (const { record, reads } of attempts) {
      const { metadata, readFrom, takenOver, returned } = decodeDescription(
        Buffer.from(record),
        'metadata.json',
        subject,
      );
      expect({ metadata, readFrom, takenOver, returned }).toEqual(reads);
    }
  });

  it('are what a writer of those members writes, digests too', () => {
    for (const { record } of [created, ...attempts]) {
      const { digest, ...fields } = decodeRecord(Buffer.from(record), 'a vector') as Record<string, never>;
      expect(Buffer.from(encodeRecord(fields)).toString()).toBe(record);
    }
  });
});
