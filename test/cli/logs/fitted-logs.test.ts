import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FittedLog, fittedLogs, fittedTail } from '../../../src/cli/logs/fitted-logs.ts';
import type { ListedLog } from '../../../src/logs/log-reader.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { test } from '../../property.ts';

async function logOf(
  storage: MemoryStorage,
  bodies: readonly Uint8Array[],
  name = 'log',
): Promise<ListedLog> {
  const parts = bodies.map((_, index) => `${name}.${index}`);
  for (const [index, body] of bodies.entries()) await storage.create(parts[index] as string, body);
  const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
  return { source: 'task', stream: 'stdout', bytes, parts };
}

async function tailOf(body: Uint8Array, lines: number, maxBytes: number): Promise<FittedLog> {
  const storage = new MemoryStorage();
  const middle = body.length >> 1;
  const log = await logOf(storage, [body.subarray(0, middle), body.subarray(middle)]);
  return fittedTail(storage, log, { lines, maxBytes }, {});
}

const line = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ maxLength: 30 }).map((text) => `${text}é😀\u0001`.repeat(600)),
);
const text = fc.array(line, { maxLength: 60 }).map((all) => Buffer.from(all.join('\n')));
const body = fc.oneof(text, fc.uint8Array({ maxLength: 5_000 }));
const bound = fc.integer({ min: 300, max: 60_000 });
const wanted = fc.oneof(fc.nat(80), fc.constant(Number.POSITIVE_INFINITY));

describe('the end of a log that fits', () => {
  test.prop([body, wanted, bound])(
    'takes no more than it may, whatever was logged',
    async (bytes, lines, maxBytes) => {
      const { text: shown } = await tailOf(bytes, lines, maxBytes);
      expect(Buffer.byteLength(JSON.stringify(shown))).toBeLessThanOrEqual(maxBytes + 2);
    },
  );

  test.prop([text, wanted])('is all that was asked for where there is room', async (bytes, lines) => {
    const { text: shown, isCut, unread } = await tailOf(bytes, lines, 10_000_000);
    const all = bytes.toString().match(/[^\n]*\n|[^\n]+$/g) ?? [];
    expect([isCut, unread]).toEqual([false, 0]);
    expect(shown).toBe(lines === 0 ? '' : all.slice(Number.isFinite(lines) ? -lines : 0).join(''));
  });

  it('ends before a character that is logged in part so far', async () => {
    const { text: shown, unread } = await tailOf(Buffer.from('a\n😀').subarray(0, -1), 5, 10_000);
    expect([shown, unread]).toEqual(['a\n', 3]);
  });

  it('of very many empty lines is found at once', async () => {
    const startedMs = performance.now();
    const { text: shown } = await tailOf(Buffer.alloc(900_000, '\n'), Number.POSITIVE_INFINITY, 900_000);
    expect(shown).toMatch(/^… \([\d,]+ bytes before\)\n+$/);
    expect(performance.now() - startedMs).toBeLessThan(4_000);
  });
});

describe('the document of logs that fit', () => {
  test.prop([fc.array(body, { maxLength: 60 }), wanted, fc.integer({ min: 20_000, max: 90_000 })])(
    'is JSON that takes no more than it may, and counts the logs that have no room',
    async (bodies, lines, maxBytes) => {
      const storage = new MemoryStorage();
      const logs = await Promise.all(
        bodies.map(async (bytes, index) => ({
          ...(await logOf(storage, [bytes], `log${index}`)),
          head: JSON.stringify({ task: String(index) }).slice(0, -1),
        })),
      );
      let json = '';
      for await (const piece of fittedLogs(storage, logs, { lines, maxBytes }, {})) json += piece;
      expect(Buffer.byteLength(json)).toBeLessThanOrEqual(maxBytes);
      const told = JSON.parse(json) as { logs: { task: string }[]; more?: number };
      expect(told.logs.map(({ task }) => task)).toEqual(told.logs.map((_, index) => String(index)));
      expect(told.logs.length + (told.more ?? 0)).toBe(logs.length);
    },
  );
});
