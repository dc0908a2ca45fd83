import { expect, it } from 'vitest';
import { loadReader, loadWriter } from '../../src/parquet/parquet-library.ts';
import { errorOf } from '../flow/fixtures.ts';

it('a library that is not installed is told, with what to install', async () => {
  const missing = (): Promise<unknown> => Promise.reject(new Error("Cannot find package 'hyparquet'"));
  expect((await errorOf(loadReader(missing), 'CODEC_UNAVAILABLE')).message).toBe(
    'Data frames cannot be read: the package hyparquet cannot be loaded. Install it: `npm install hyparquet`.',
  );
  expect((await errorOf(loadWriter(missing), 'CODEC_UNAVAILABLE')).message).toMatch(
    /`npm install hyparquet hyparquet-writer`/,
  );
});
