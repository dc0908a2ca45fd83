import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkpointName,
  checkpointSubject,
  decodeCheckpoint,
  encodeCheckpoint,
} from '../../src/format/checkpoint-record.ts';
import { decodeTrace, encodeTrace, traceName } from '../../src/format/trace-record.ts';
import { callDigest } from '../../src/trace/trace-key.ts';
import { openFlow } from '../flow/fixtures.ts';

/** A record as format.md describes it, and what it replays. */
interface TraceVector {
  equalCalls: string;
  ordinal: number;
  name: string;
  record: string;
}

const FILE = join(import.meta.dirname, '../../docs/format-vectors/traces.json');
const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as TraceVector[];
const PATH = { flow: 'Train', run: 'r1', step: 'fit', task: '0' };

describe('the vector of checkpoints', () => {
  const file = join(import.meta.dirname, '../../docs/format-vectors/checkpoint.json');
  const { name, value, record } = JSON.parse(readFileSync(file, 'utf8')) as Record<
    'name' | 'record',
    string
  > & {
    value: unknown;
  };

  it('is what the code writes and loads', async () => {
    const subject = checkpointSubject(PATH, 0, 0);
    expect(checkpointName(PATH, 0, 0)).toBe(name);
    const checkpoint = decodeCheckpoint(Buffer.from(record), name, subject);
    expect(Buffer.from(encodeCheckpoint(checkpoint, subject)).toString()).toBe(record);
    const flow = await openFlow({ flowName: 'Train' });
    const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
    await (await flow.createTaskDataStore(spec)).fail(new Error('next'));
    await flow.storage.create(name, Buffer.from(record));
    expect(await (await flow.createTaskDataStore(spec)).checkpoint.load()).toEqual(value);
  });
});

describe('the vectors of traces', () => {
  it.each(vectors)('$name is the record of its call', ({ equalCalls, ordinal, name, record }) => {
    const call = callDigest(equalCalls, ordinal);
    const trace = decodeTrace(Buffer.from(record), name, { ...PATH, attempt: 0, call });
    expect(traceName(PATH, 0, call)).toBe(name);
    expect([trace.call, trace.ordinal]).toEqual([call, ordinal]);
    expect(Buffer.from(encodeTrace(PATH, 0, trace)).toString()).toBe(record);
  });

  it('are what the code records and replays', async () => {
    const [value, stream, error] = vectors as [TraceVector, TraceVector, TraceVector];
    expect(JSON.parse(value.record).artifacts[0].json).toEqual({ page: 1, text: 'Once' });
    expect(JSON.parse(stream.record).stream).toEqual({ items: 2, form: 'values', partial: true });
    expect(JSON.parse(error.record).artifacts[0].name).toBe('error');
    const flow = await openFlow({ flowName: 'Train' });
    const first = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await first.fail(new Error('next'));
    for (const { name, record } of vectors) await flow.storage.create(name, Buffer.from(record));
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const fetch = (page: number): unknown => ({ page, text: 'Once' });
    const replayed = task.trace('fetch', fetch);
    expect(await replayed(1)).toEqual({ page: 1, text: 'Once' });
  });
});
