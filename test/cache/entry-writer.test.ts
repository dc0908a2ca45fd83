import { describe, expect, it } from 'vitest';
import { readTask } from '../../src/attempts/attempt-reader.ts';
import { resultOf } from '../../src/cache/entry-writer.ts';
import { codeOf } from '../content/storages.ts';
import { openFlow, saveTask } from '../flow/fixtures.ts';

const path = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };

describe('the result of an attempt', () => {
  it('is its rows, and what tells the attempt', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: 1, b: 'x'.repeat(50_000) });
    const read = await readTask(flow.storage, flow.caStore.reader, path, {}, {});
    const { source, table } = resultOf(read);
    const { session, metadataDigest } = read.done ?? {};
    expect(source).toEqual({ ...path, attempt: 0, session, metadataDigest });
    expect(table.artifacts.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('of one that failed, is open or was purged is none', async () => {
    const flow = await openFlow();
    const refused = async () => {
      const read = await readTask(flow.storage, flow.caStore.reader, path, { allowNotDone: true }, {});
      expect(await codeOf(() => resultOf(read))).toBe('INVALID_ARGUMENT');
    };
    const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
    await flow.task(spec, () => Promise.reject(new Error('no luck'))).catch(() => {});
    await refused();
    const open = await flow.createTaskDataStore(spec);
    await refused();
    await open.done();
    await flow.storage.create('flows/Test/r1/fit/0/1.PURGED', new Uint8Array(0));
    await refused();
  });
});
