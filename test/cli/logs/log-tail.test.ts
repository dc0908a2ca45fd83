import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTail } from '../../../src/cli/commands/log.ts';
import { findTail, readTail } from '../../../src/cli/logs/log-tail.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { test } from '../../property.ts';

/** The last lines of a text, by another way. */
function lastLines(text: string, count: number): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return count === 0 ? '' : lines.slice(-count).join('');
}

async function tailOf(parts: readonly string[], lines: number): Promise<{ text: string; bytes: number }> {
  const storage = new MemoryStorage();
  const names = parts.map((_, index) => `log.${index}`);
  for (const [index, part] of parts.entries())
    await storage.create(names[index] as string, Buffer.from(part));
  const start = await findTail(storage, { parts: names }, lines, {});
  let text = '';
  for await (const piece of readTail(storage, start, {})) text += Buffer.from(piece).toString();
  return { text, bytes: start.bytes };
}

describe('the last lines of a log', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\n\n'), maxLength: 6 });

  test.prop([fc.array(part, { maxLength: 6 }), fc.nat(8)])(
    'are those of the whole text, however it lies in parts',
    async (parts, lines) => {
      const { text, bytes } = await tailOf(parts, lines);
      expect(text).toBe(lastLines(parts.join(''), lines));
      expect(bytes).toBe(text.length);
    },
  );

  it('reads no part that comes before them', async () => {
    const storage = new MemoryStorage();
    await storage.create('log.2', Buffer.from('b\nc\n'));
    // The first two are not there: to read them would show.
    const start = await findTail(storage, { parts: ['log.0', 'log.1', 'log.2'] }, 1, {});
    expect(start).toEqual({ parts: ['log.2'], skippedBytes: 2, bytes: 2, isCutOff: false });
  });

  it('are a number, or all', () => {
    expect([parseTail('10'), parseTail('0'), parseTail('all'), parseTail(undefined)]).toEqual([
      10,
      0,
      undefined,
      undefined,
    ]);
    for (const text of ['-1', '1.5', 'x', '', '+3'])
      expect(() => parseTail(text)).toThrow('--tail is a number');
  });
});
