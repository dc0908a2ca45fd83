import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { servePage } from '../../bench/served-page.mjs';
import { FlowDataStore } from '../../src/index.ts';
import { addressOf } from '../../src/page/asked.ts';
import { previewed } from '../../src/page/view-questions.ts';
import type { Preview } from '../../src/views/previews/shown.ts';
import { noise, scratchFolder } from '../cli/fixture.ts';

const MIB = 1024 * 1024;
const RAW_BYTES = 256 * MIB;
const IN = 'Large/r1/make/0/0';
const PATIENCE_MS = 280_000;

/** Of the whole process, which has 100 MiB before. */
const STREAM_BYTES = 400 * MIB;
const VALUE_BYTES = 480 * MIB;
const PREVIEW_BYTES = 480 * MIB;
/** At 60 MiB each, these would take 800 MiB at once. */
const PREVIEWS = 12;

describe.skipIf(process.platform !== 'linux')('the server of the page', () => {
  const folder = scratchFolder();
  const store = join(folder, 'store');
  let raw: Uint8Array;
  let url: string;
  let pid: number;
  let end: () => Promise<void>;

  beforeAll(async () => {
    raw = noise(RAW_BYTES, 11);
    await using flow = await FlowDataStore.open({ flowName: 'Large', storage: store });
    await flow.task({ runId: 'r1', stepName: 'make', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ raw });
      for (let number = 0; number < 4; number++)
        await task.saveArtifacts({ [`rows${number}`]: rows(250_000, number) });
      for (let number = 0; number < PREVIEWS; number++)
        await task.saveArtifacts({ [`shown${number}`]: rows(280_000, number) });
      await task.saveArtifacts({ huge: rows(600_000, 9), small: { auc: 0.91 } });
    });
    const served = await servePage(store);
    [url, pid, end] = [served.url, served.pid as number, served.end];
    await got('small');
  }, PATIENCE_MS);
  afterAll(async () => {
    await end?.();
  });

  /** Gets a content, and keeps nothing of it. */
  function got(
    artifact: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; bytes: number; digest: string }> {
    return new Promise((resolve, reject) => {
      const sent = request(`${url}content/${IN}/${artifact}`, { headers, agent: false }, (response) => {
        const hash = createHash('sha256');
        let bytes = 0;
        response.on('data', (piece: Buffer) => {
          bytes += piece.length;
          hash.update(piece);
        });
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, bytes, digest: hash.digest('hex') }),
        );
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  /** The most memory that a server had meanwhile, in bytes, all of it. */
  async function peakOf(work: () => Promise<void>, server: number = pid): Promise<number> {
    writeFileSync(`/proc/${server}/clear_refs`, '5'); // the peak is from now on
    await work();
    const [, kib] = /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${server}/status`, 'utf8')) ?? [];
    return Number(kib) * 1024;
  }

  const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  it(
    'has little of 256 MiB in memory while they are downloaded, or a range of them is asked for',
    async () => {
      const whole = await peakOf(async () => {
        expect(await got('raw')).toEqual({ status: 200, bytes: RAW_BYTES, digest: digestOf(raw) });
      });
      const range = await peakOf(async () => {
        const part = raw.subarray(200 * MIB, 200 * MIB + 1000);
        const asked = { range: `bytes=${200 * MIB}-${200 * MIB + 999}` };
        expect(await got('raw', asked)).toEqual({ status: 206, bytes: 1000, digest: digestOf(part) });
      });
      const four = await peakOf(async () => {
        for (const { bytes } of await Promise.all([got('raw'), got('raw'), got('raw'), got('raw')]))
          expect(bytes).toBe(RAW_BYTES);
      });
      expect(Math.max(whole, range, four)).toBeLessThan(STREAM_BYTES);
    },
    PATIENCE_MS,
  );

  it(
    'decodes values only as many at once as there is room for, and refuses one that is larger',
    async () => {
      const one = await peakOf(async () => {
        expect((await got('rows0')).status).toBe(200);
      });
      const many = await peakOf(async () => {
        const asked = Array.from({ length: 24 }, (_, number) => got(`rows${number % 4}`));
        for (const { status, bytes } of await Promise.all(asked)) {
          expect(status).toBe(200);
          expect(bytes).toBeGreaterThan(8 * MIB);
        }
      });
      expect(Math.max(one, many)).toBeLessThan(VALUE_BYTES);
      const refused = await fetch(`${url}content/${IN}/huge`);
      const { error } = (await refused.json()) as { error: { code: string; message: string } };
      expect(error.code).toBe('CONTENT_TOO_LARGE');
      expect(error.message).toContain(`stowage get ${IN} huge -o huge.json`);
    },
    PATIENCE_MS,
  );

  it(
    'previews values only as many at once as there is room for, and tells of a larger one how it is seen',
    async () => {
      const other = await servePage(store); // with the memory of nothing that was sent before
      const preview = async (name: string): Promise<Preview> => {
        const asked = previewed({ pathspec: IN, artifact: name });
        const response = await fetch(`${other.url}api/${addressOf(asked)}`);
        return ((await response.json()) as { result: Preview }).result;
      };
      try {
        const work = async (): Promise<void> => {
          const asked = Array.from({ length: PREVIEWS }, (_, number) => preview(`shown${number}`));
          for (const { kind } of await Promise.all(asked)) expect(kind).toBe('table');
        };
        expect(await peakOf(work, other.pid)).toBeLessThan(PREVIEW_BYTES);
        expect(await preview('huge')).toMatchObject({
          kind: 'unshown',
          note: expect.stringMatching(
            /values beyond 16\.8 MB .*: stowage preview \S+ huge --max-bytes \d+MB$/,
          ),
        });
      } finally {
        await other.end();
      }
    },
    PATIENCE_MS,
  );

  it(
    'sends a small value beside large ones that wait',
    async () => {
      const large = ['rows0', 'rows1', 'rows2', 'rows3'].map((name) => got(name));
      expect((await got('small')).status).toBe(200);
      await Promise.all(large);
    },
    PATIENCE_MS,
  );
});

/** About 50 bytes a row, as it is stored. */
function rows(count: number, seed: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    id: index,
    name: `row ${index} of ${seed}`,
    score: index / 7,
    isUsed: index % 3 === 0,
  }));
}
