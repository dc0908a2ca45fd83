import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import { findLog } from '../../src/logs/log-reader.ts';
import { scrubLogs } from '../../src/logs/log-scrubbing.ts';
import type { DeleteFailure } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames } from '../flow/fixtures.ts';
import { propertyRuns } from '../property.ts';
import { until } from '../waiting.ts';
import { base, NOTE, partsIn, path, pause, STORAGES, textOf, writerOn } from './log-fixtures.ts';

const LOGS = ['task.stdout', 'task.stderr', 'runtime.stdout'] as const;

type Choice = { source?: string; stream?: string };

const anyChoice = fc.record(
  { source: fc.constantFrom('task', 'runtime'), stream: fc.constantFrom('stdout', 'stderr') },
  { requiredKeys: [] },
);
const anyStep = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ log: fc.constantFrom(...LOGS), text: fc.constantFrom('', 'a\n', 'bc') }),
  },
  { weight: 1, arbitrary: fc.record({ choice: anyChoice }) },
);

function matches(log: string, choice: Choice): boolean {
  const [source, stream] = log.split('.');
  return (choice.source ?? source) === source && (choice.stream ?? stream) === stream;
}

/** All logs as a reader finds them, notes without their time. */
async function shown(storage: MemoryStorage | FaultStorage): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const log of LOGS) {
    const [source, stream] = log.split('.') as [string, string];
    const text = await textOf(storage, stream, source);
    if (text !== undefined) found[log] = text.replace(NOTE, '*');
  }
  return found;
}

describe.each(STORAGES)('scrubbed logs on %s', (_, open) => {
  it('read as the model says, however appends and scrubs of their owner come upon each other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { maxLength: 12 }),
        fc.array(fc.boolean(), { maxLength: 40 }),
        async (steps, delays) => {
          const storage = await open();
          const delayed = new FaultStorage(storage, (_operation, _name, call) =>
            delays[call] ? { kind: 'delay', ms: 0 } : undefined,
          );
          const writer = writerOn(delayed);
          const model: Record<string, string> = {};
          const work = steps.map((step) => {
            if ('choice' in step) {
              const chosen = LOGS.filter((log) => log in model && matches(log, step.choice));
              for (const log of chosen) model[log] = '*';
              return writer.scrub(step.choice, {}).then((scrubbed) => {
                const names = scrubbed.map(({ source, stream }) => `${source}.${stream}`);
                expect(names.sort()).toEqual([...chosen].sort());
              });
            }
            model[step.log] = (model[step.log] ?? '') + step.text;
            const [source, stream] = step.log.split('.') as [string, string];
            return writer.append(source, { [stream]: step.text });
          });
          await Promise.all(work);
          expect(await shown(storage as MemoryStorage)).toEqual(model);
        },
      ),
      { numRuns: propertyRuns },
    );
  });

  it('hold a note of the time and nothing else; a second scrub changes nothing', async () => {
    const storage = await open();
    const writer = writerOn(storage);
    await writer.append('task', { stdout: 'the key is ', stderr: 'fine' });
    await writer.append('task', { stdout: 'hunter2\n' });
    await writer.append('runtime', { stdout: 'hunter2' });
    const before = Date.now();
    expect(await scrubLogs(storage, path, 0, { stream: 'stdout' }, {})).toEqual([
      { source: 'runtime', stream: 'stdout', bytes: 7 },
      { source: 'task', stream: 'stdout', bytes: 19 },
    ]);
    const [, time = ''] = /^\[scrubbed (.*)\]\n$/.exec((await textOf(storage)) ?? '') ?? [];
    expect(Date.parse(time)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(time)).toBeLessThanOrEqual(Date.now());
    expect(await textOf(storage, 'stderr')).toBe('fine');
    expect((await findLog(storage, path, 0, { source: 'task', stream: 'stdout' }, {}))?.bytes).toBe(36);
    const names = await partsIn(storage);
    expect(names).toEqual(['runtime.stdout.00000001', 'task.stderr.00000000', 'task.stdout.00000002']);
    const text = await textOf(storage);
    await pause(2);
    expect(await scrubLogs(storage, path, 0, { stream: 'stdout' }, {})).toEqual([
      { source: 'runtime', stream: 'stdout', bytes: 0 },
      { source: 'task', stream: 'stdout', bytes: 0 },
    ]);
    expect([await partsIn(storage), await textOf(storage)]).toEqual([names, text]);
    expect(await scrubLogs(storage, path, 0, { stream: 'stdin' }, {})).toEqual([]);
    await errorOf(scrubLogs(storage, path, 0, { source: '../x' }, {}), 'INVALID_NAME');
  });

  it('are scrubbed by several at once, as if by one', async () => {
    const storage = await open();
    const writer = writerOn(storage);
    for (let i = 0; i < 20; i++) await writer.append('task', { stdout: `${i}`, stderr: 'e' });
    await Promise.all(Array.from({ length: 5 }, () => scrubLogs(storage, path, 0, {}, {})));
    expect(await partsIn(storage)).toEqual(['task.stderr.00000020', 'task.stdout.00000020']);
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*');
  });
});

describe('scrubs that meet each other and break off', () => {
  it('at any request never leave an old text for a new one, and the next scrub finishes them', async () => {
    const fault = fc.constantFrom('before', 'after', 'delay', undefined, undefined, undefined);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fault, { maxLength: 40 }),
        async (parts, scrubbers, faults) => {
          const storage = new MemoryStorage();
          const writer = writerOn(storage);
          for (let i = 0; i < parts; i++) await writer.append('task', { stdout: `<${i}>` });
          const faulty = new FaultStorage(storage, (_operation, _name, call) => {
            const kind = faults[call];
            return kind === 'delay' ? { kind, ms: 0 } : kind && { kind };
          });
          const outcomes = await Promise.allSettled(
            Array.from({ length: scrubbers }, () => scrubLogs(faulty, path, 0, {}, {})),
          );
          const left = (await textOf(storage))?.replace(NOTE, '*') as string;
          const isDone = outcomes.some(({ status }) => status === 'fulfilled');
          expect(left).toMatch(isDone ? /^\*$/ : /^(<\d>)*\*?$/);
          if (!left.endsWith('*'))
            expect(left).toBe(Array.from({ length: parts }, (_, i) => `<${i}>`).join(''));
          await scrubLogs(storage, path, 0, {}, {});
          expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*');
          expect(await partsIn(storage)).toHaveLength(1);
        },
      ),
      { numRuns: propertyRuns },
    );
  });

  it('after the note leave the old text and the note, and are mended by another, without a second note', async () => {
    const storage = new MemoryStorage();
    const crashing = new FaultStorage(storage, (operation) =>
      operation === 'delete' ? { kind: 'before', error: new Error('power cut') } : undefined,
    );
    await writerOn(storage).append('task', { stdout: 'secret ' });
    await errorOf(scrubLogs(crashing, path, 0, {}, {}), 'STORAGE_FAILED');
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('secret *');
    const note = (await objectNames(storage, base)).at(-1);
    expect(await scrubLogs(storage, path, 0, {}, {})).toEqual([
      { source: 'task', stream: 'stdout', bytes: 7 },
    ]);
    expect(await objectNames(storage, base)).toEqual([note]);
  });
});

describe('what cannot be deleted', () => {
  it.each([
    ['STORAGE_NOT_PERMITTED', 'STORAGE_NOT_PERMITTED'],
    ['STORAGE_FAILED', 'STORAGE_UNAVAILABLE'],
  ] as const)('is %s, and named, though the rest is gone', async (code, beneath) => {
    const storage = new MemoryStorage();
    const locked = new FaultStorage(storage, (operation, name) =>
      operation === 'delete' && /stdout\.0000000[13]$/.test(name)
        ? { kind: 'before', error: new StowageError(beneath, 'It is locked.') }
        : undefined,
    );
    const writer = writerOn(locked);
    for (let i = 0; i < 4; i++) await writer.append('task', { stdout: `<${i}>`, stderr: 'e' });
    for (const scrub of [() => scrubLogs(locked, path, 0, {}, {}), () => writer.scrub({}, {})]) {
      const error = await errorOf(scrub, code);
      const names = ['task.stdout.00000001', 'task.stdout.00000003'].map((name) => base + name);
      expect(error.details).toEqual({ flow: 'Test', pathspec: 'r1/fit/0/0', names });
      for (const name of names) expect(error.message).toContain(storage.uri(name));
      expect((error.cause as StowageError).code).toBe(beneath);
      expect((await textOf(storage))?.replace(NOTE, '*')).toBe('<1><3>*');
      expect((await textOf(storage, 'stderr'))?.replace(NOTE, '*')).toBe('*');
    }
  });

  it('among other failures is no matter of permission', async () => {
    const storage = new MemoryStorage();
    class Stubborn extends FaultStorage {
      override async delete(names: readonly string[]): Promise<DeleteFailure[]> {
        const codes = ['STORAGE_NOT_PERMITTED', 'STORAGE_UNAVAILABLE'] as const;
        return names.map((name, i) => ({ name, error: new StowageError(codes[i % 2] as 'ABORTED', 'No.') }));
      }
    }
    const writer = writerOn(storage);
    for (let i = 0; i < 6; i++) await writer.append('task', { stdout: 'x' });
    const stubborn = new Stubborn(storage, () => undefined);
    const error = await errorOf(scrubLogs(stubborn, path, 0, {}, {}), 'STORAGE_FAILED');
    expect(error.details.names).toHaveLength(6);
    expect(error.message).toContain('and 3 more');
  });
});

describe('a scrub by the owner', () => {
  it('takes what a stream gave and was not written yet, and lets it go on after the note', async () => {
    const storage = new MemoryStorage();
    const child = new PassThrough();
    const silent = new PassThrough();
    const writer = writerOn(storage);
    const appended = writer.append('task', { stdout: child, stderr: silent }, { flushMs: 100_000 });
    child.write('secret');
    await until(() => child.readableLength === 0);
    await pause(5);
    expect(await writer.scrub({}, {})).toEqual([{ source: 'task', stream: 'stdout', bytes: 0 }]);
    child.end(', and on');
    silent.end();
    await appended;
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*, and on');
    expect(await textOf(storage, 'stderr')).toBe('');
  });

  it('takes what a stream gave while a write of it was on its way', async () => {
    const storage = new MemoryStorage();
    let pass = (): void => {};
    const gate = new Promise<void>((resolve) => {
      pass = resolve;
    });
    let writes = 0;
    class Slow extends FaultStorage {
      override async create(...args: Parameters<FaultStorage['create']>): Promise<boolean> {
        writes++;
        await gate;
        return super.create(...args);
      }
    }
    const child = new PassThrough({ objectMode: true });
    const writer = writerOn(new Slow(storage, () => undefined));
    const appended = writer.append('task', { stdout: child }, { flushMs: 0 });
    child.write('one');
    await until(() => writes === 1);
    child.write('two');
    await until(() => child.readableLength === 0);
    await pause(5);
    const scrubbed = writer.scrub({}, {});
    pass();
    expect(await scrubbed).toEqual([{ source: 'task', stream: 'stdout', bytes: 3 }]);
    child.end('three');
    await appended;
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*three');
  });

  it('covers a write that was given up and takes effect later', async () => {
    const storage = new MemoryStorage();
    const late: (() => Promise<boolean>)[] = [];
    class Late extends FaultStorage {
      override create(...args: Parameters<FaultStorage['create']>): Promise<boolean> {
        if (late.length > 0) return super.create(...args);
        late.push(() => super.create(...args));
        return Promise.reject(new StowageError('STORAGE_UNAVAILABLE', 'No answer.'));
      }
    }
    const writer = writerOn(new Late(storage, () => undefined));
    await errorOf(writer.append('task', { stdout: 'secret' }), 'STORAGE_UNAVAILABLE');
    await writer.scrub({}, {});
    expect(await late[0]?.()).toBe(false);
    await writer.append('task', { stdout: 'more' });
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*more');
  });

  it('goes on behind the note without looking for its place', async () => {
    const asked: string[] = [];
    const told = new FaultStorage(new MemoryStorage(), (operation) => {
      asked.push(operation);
      return undefined;
    });
    const writer = writerOn(told);
    await writer.append('task', { stdout: 'secret' });
    await writer.scrub({}, {});
    asked.splice(0);
    await writer.append('task', { stdout: 'on' });
    expect(asked).toEqual(['create']);
  });

  it('forgets streams that ended', async () => {
    const storage = new MemoryStorage();
    const controller = new AbortController();
    const child = new PassThrough();
    const writer = writerOn(storage);
    const appended = writer.append('task', { stdout: child }, { signal: controller.signal });
    child.write('never written');
    await pause(5);
    controller.abort();
    await errorOf(appended, 'ABORTED');
    expect(await writer.scrub({}, {})).toEqual([]);
  });

  it('of nothing leaves nothing', async () => {
    const storage = new MemoryStorage();
    expect(await writerOn(storage).scrub({}, {})).toEqual([]);
    expect(await objectNames(storage)).toEqual([]);
    await errorOf(writerOn(storage).scrub({ stream: '' }, {}), 'INVALID_NAME');
  });
});

describe('an owner that was thought dead', () => {
  it('logs on after the note of others, and is scrubbed with it the next time', async () => {
    const storage = new MemoryStorage();
    const writer = writerOn(storage);
    await writer.append('task', { stdout: 'secret' });
    await scrubLogs(storage, path, 0, {}, {});
    await writer.append('task', { stdout: 'awake' });
    await writer.append('task', { stdout: ' again' });
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*awake again');
    await scrubLogs(storage, path, 0, {}, {});
    expect((await textOf(storage))?.replace(NOTE, '*')).toBe('*');
  });
});
