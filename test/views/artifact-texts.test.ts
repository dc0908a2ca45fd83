import { describe, expect, it } from 'vitest';
import {
  bytesStored,
  codecText,
  errorLine,
  referenceText,
  shortKey,
  storedText,
} from '../../src/views/artifact-texts.ts';
import type { ArtifactView } from '../../src/views/attempts.ts';

const artifact: ArtifactView = {
  name: 'rows',
  type: 'array',
  encoding: 'msgpack',
  key: '0123456789abcdef'.repeat(4),
  bytes: 1000,
  storedBytes: 410,
  inline: false,
  storedRatio: 0.41,
};

describe('what is said of an artifact', () => {
  it('tells a gain once: beside the codec, or beside the size', () => {
    expect(storedText(artifact)).toBe('410 B (41 %)');
    expect(bytesStored(artifact)).toBe('410 B');
    expect(codecText({ ...artifact, codecs: ['zstd', 'raw'] })).toBe('zstd + raw, 41 %');
    expect(codecText(artifact)).toBe('');
  });

  it('tells of no gain where an envelope made content longer, or it is inline', () => {
    expect(storedText({ ...artifact, storedBytes: 1048, storedRatio: 1.048 })).toBe('1.0 kB');
    expect(storedText({ ...artifact, storedBytes: 0, inline: true, storedRatio: null })).toBe('inline');
    expect(codecText({ ...artifact, codecs: ['raw'], storedRatio: 1.048 })).toBe('raw');
  });

  it('says of a reference what is known, and of one that cannot be read why', () => {
    expect(referenceText({ name: 'data', fileCount: 2, size: 6 })).toBe('data, 2 files, 6 B');
    expect(referenceText({ name: 'x', uri: 's3://b/x' })).toBe('x, at s3://b/x');
    expect(referenceText({ failure: { code: 'CONTENT_DAMAGED', message: 'm' } })).toBe('CONTENT_DAMAGED');
    expect(referenceText(undefined)).toBe('');
  });

  it('shortens keys, and leaves the colon of an empty message out', () => {
    expect(shortKey(artifact.key)).toBe('0123456789ab');
    expect(errorLine({ name: 'RangeError', message: '' })).toBe('RangeError');
    expect(errorLine({ name: 'RangeError', message: 'diverged' })).toBe('RangeError: diverged');
  });
});
