import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { ObjectKeys } from '../../src/storage/bucket/keys.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { parseS3Address, s3Uri } from '../../src/storage/s3/address.ts';
import { checkS3Options } from '../../src/storage/s3/options.ts';
import { objectNames } from '../flow/fixtures.ts';

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

describe('keys', () => {
  it('are names behind the prefix, whatever slashes it had at its ends', () => {
    for (const prefix of ['a/b', '/a/b', 'a/b/', '//a/b//']) {
      const keys = new ObjectKeys(prefix);
      expect(keys.keyOf('c/d')).toBe('a/b/c/d');
      expect(keys.nameOf('a/b/c/d')).toBe('c/d');
      expect(keys.folderOf('a/b/c/')).toBe('c/');
    }
    expect(new ObjectKeys('').keyOf('c/d')).toBe('c/d');
    expect(new ObjectKeys('tmp').keyOf('c')).toBe('tmp/c');
  });

  it('that no store wrote are none of its objects', () => {
    const keys = new ObjectKeys('a');
    for (const key of ['a/', 'a/tmp/x', 'a/b//c', 'a/b/', 'a/..', 'a/b\\c'])
      expect(keys.nameOf(key)).toBeUndefined();
    for (const folder of ['a/tmp/', 'a/b//', 'a/./']) expect(keys.folderOf(folder)).toBeUndefined();
  });

  it.each(['a//b', '.', 'a/../b', 'a\\b', 'a\nb', 'a\u0308'])('refuses the prefix %j', (prefix) => {
    expect(() => new ObjectKeys(prefix)).toThrow(invalid);
  });

  it('have at most 1,024 bytes, counted in UTF-8', () => {
    const keys = new ObjectKeys(Array.from({ length: 5 }, () => 'é'.repeat(38)).join('/'));
    const room = 1024 - Buffer.byteLength(keys.prefix);
    const long = Array.from({ length: 4 }, () => 'x'.repeat(210)).join('/');
    expect(Buffer.byteLength(keys.keyOf(long.slice(0, room)))).toBe(1024);
    expect(() => keys.keyOf(long.slice(0, room + 1))).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME', message: expect.stringMatching(/1025 bytes.*1024/) }),
    );
  });

  it('have room for all that a store names behind the longest prefix', async () => {
    const storage = new MemoryStorage();
    const name = 'n'.repeat(128);
    const flow = await FlowDataStore.open({ flowName: name, storage });
    const spec = { runId: name, stepName: name, taskId: name, attempt: Number.MAX_SAFE_INTEGER };
    await flow.task(spec, async (task) => {
      await task.saveArtifacts({ [name]: new Uint8Array(300_000) });
      await task.saveMetadata({ [name]: 1 });
      await task.saveLogs('s'.repeat(32), { stdout: 'x' });
    });
    await flow.saveData([{ name, data: new Uint8Array(10) }]);
    await flow.close();
    const longest = (await objectNames(storage)).sort((a, b) => b.length - a.length)[0] as string;
    const keys = new ObjectKeys(`${'p'.repeat(199)}/${'q'.repeat(199)}`);
    expect(keys.keyOf(longest).length).toBeLessThanOrEqual(1024);
    expect(longest.length).toBeGreaterThan(550);
    expect(() => new ObjectKeys(`${'p'.repeat(199)}/${'q'.repeat(200)}`)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/401 bytes.*at most 400/),
      }),
    );
  });
});
