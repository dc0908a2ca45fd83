import { describe, expect, it } from 'vitest';
import { parseS3Address, s3Uri } from '../../src/storage/s3/address.ts';
import { checkS3Options } from '../../src/storage/s3/options.ts';

const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' });

describe('the address of a bucket', () => {
  it.each([
    ['s3://data', { bucket: 'data', prefix: '' }],
    ['s3://data/', { bucket: 'data', prefix: '' }],
    ['s3://data/a/b', { bucket: 'data', prefix: 'a/b' }],
    ['s3a://data/a', { bucket: 'data', prefix: 'a' }],
    ['S3N://data/a', { bucket: 'data', prefix: 'a' }],
    ['s3://data/a b%20c#d', { bucket: 'data', prefix: 'a b%20c#d' }],
    [
      's3://data/a?endpoint=http%3A%2F%2Flocalhost%3A9000&region=auto&forcePathStyle=false',
      {
        bucket: 'data',
        prefix: 'a',
        endpoint: 'http://localhost:9000',
        region: 'auto',
        forcePathStyle: false,
      },
    ],
    ['s3://data?endpoint=http://h:1', { bucket: 'data', prefix: '', endpoint: 'http://h:1' }],
  ])('%s', (uri, options) => {
    expect(parseS3Address(uri)).toEqual(options);
  });

  it.each([
    's3:',
    's3:data',
    's3://',
    's3:///a',
    's3://data?what=1',
    's3://data?forcePathStyle=yes',
    's3://h:9000/b',
  ])('refuses %s', (uri) => {
    expect(() => parseS3Address(uri)).toThrow(invalid);
  });

  it('does not repeat a secret that it refuses', () => {
    const parse = () => parseS3Address('s3://key:Sup3rSecret@data/a');
    expect(parse).toThrow(/credentials come from/);
    expect(parse).not.toThrow(/Sup3rSecret/);
  });

  it('of an object is what other tools take: nothing is percent-encoded', () => {
    expect(s3Uri('data', 'a b/ä%20?.json')).toBe('s3://data/a b/ä%20?.json');
  });
});

describe('options', () => {
  it.each([
    { bucket: '' },
    { bucket: 'a/b' },
    { bucket: undefined as unknown as string },
    { bucket: 'b', endpoint: 'localhost:9000' },
    { bucket: 'b', partBytes: 1024 },
    { bucket: 'b', partBytes: 2 ** 31 },
    { bucket: 'b', concurrency: 0 },
    { bucket: 'b', requestTimeoutMs: 0.5 },
    { bucket: 'b', storageClass: 'DEEP_ARCHIVE' as 'STANDARD' },
    { bucket: 'b', regoin: 'x' } as { bucket: string },
  ])('refuses %j', (options) => {
    expect(() => checkS3Options(options)).toThrow(invalid);
  });

  it('refuses directory buckets, which list in no order', () => {
    const unsupported = expect.objectContaining({ code: 'STORAGE_UNSUPPORTED' });
    expect(() => checkS3Options({ bucket: 'data--use1-az4--x-s3' })).toThrow(unsupported);
  });

  it('takes names and ARNs of buckets', () => {
    for (const bucket of ['data', 'my.bucket-1', 'arn:aws:s3:eu-west-1:123456789012:accesspoint/mine']) {
      expect(checkS3Options({ bucket })).toMatchObject({
        bucket,
        prefix: '',
        partBytes: 8_388_608,
        concurrency: 8,
      });
    }
  });
});
