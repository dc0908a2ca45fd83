import { describe, expectTypeOf, it } from 'vitest';
import type { CachedTaskContext } from '../../src/cached-tasks/options.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataFrameRef } from '../../src/references/data-frame-ref.ts';
import type { DirectoryRef } from '../../src/references/directory/directory-ref.ts';
import type { FileRef } from '../../src/references/file-ref.ts';
import { dataFrameRef, directoryRef, fileRef } from '../../src/references/schemas.ts';
import type { Report } from '../../src/reports/report.ts';

/** What is written here is compiled, and not run. */
function typed(_calls: (of: { flow: FlowDataStore; task: OpenTaskDataStore }) => unknown): void {}

describe('the types', () => {
  it('of traced functions are those of the functions, later', () => {
    typed(async ({ task }) => {
      const add = task.trace('add', (a: number, b: number) => a + b);
      expectTypeOf(add).parameters.toEqualTypeOf<[number, number]>();
      expectTypeOf(await add(1, 2)).toEqualTypeOf<number>();
      const fetched = task.trace('fetch', async (url: string) => ({ url, bytes: new Uint8Array(1) }));
      expectTypeOf(await fetched('x')).toEqualTypeOf<{ url: string; bytes: Uint8Array<ArrayBuffer> }>();
      const nothing = task.trace('nothing', () => {});
      expectTypeOf(await nothing()).toEqualTypeOf<void>();
      const tokens = task.trace('tokens', async function* (question: string) {
        yield question.length;
      });
      for await (const token of tokens('q')) expectTypeOf(token).toEqualTypeOf<number>();
      for await (const token of await tokens('q')) expectTypeOf(token).toEqualTypeOf<number>();
      // @ts-expect-error It takes numbers.
      add('1', 2);
      // @ts-expect-error A function is missing.
      task.trace('none');
      // @ts-expect-error It gives no items.
      for await (const _ of add(1, 2));
    });
  });

  it('of checkpoints are what is asked for, or nothing', () => {
    typed(async ({ task }) => {
      expectTypeOf(await task.checkpoint.load()).toEqualTypeOf<unknown>();
      expectTypeOf(await task.checkpoint.load<{ epoch: number }>()).toEqualTypeOf<
        { epoch: number } | undefined
      >();
      expectTypeOf(task.checkpoint.save({ epoch: 1 })).toEqualTypeOf<Promise<void>>();
      // @ts-expect-error A signal is the only option.
      task.checkpoint.save(1, { name: 'x' });
    });
  });

  it('of reports chain', () => {
    typed(({ task }) => {
      expectTypeOf(task.report('loss')).toEqualTypeOf<Report>();
      expectTypeOf(
        task
          .report('loss')
          .text('b')
          .table([{ x: 1 }]),
      ).toEqualTypeOf<Report>();
      // @ts-expect-error A table is made of rows.
      task.report('loss').table('rows');
      // @ts-expect-error There is no such option.
      task.report('loss', { named: 'x' });
    });
  });

  it('of references are those of what makes them, in flows, tasks and contexts alike', () => {
    typed(async ({ flow, task }) => {
      expectTypeOf(await flow.files.fromLocal('x')).toEqualTypeOf<FileRef>();
      expectTypeOf(await flow.directories.fromLocal('x')).toEqualTypeOf<DirectoryRef>();
      expectTypeOf(await flow.frames.fromRows([{ x: 1 }])).toEqualTypeOf<DataFrameRef>();
      expectTypeOf(task.files.fromData).parameters.toEqualTypeOf<Parameters<typeof flow.files.fromData>>();
      const ref = await task.files.create('x').close();
      expectTypeOf(ref).toEqualTypeOf<FileRef>();
      expectTypeOf(await ref.bytes()).toExtend<Uint8Array>();
      expectTypeOf(await ref.json<{ a: 1 }>()).toEqualTypeOf<{ a: 1 }>();
      expectTypeOf(ref.open()).toExtend<ReadableStream<Uint8Array>>();
      // @ts-expect-error Bytes, a text or a stream of bytes.
      task.files.fromData('x', { a: 1 });
      // @ts-expect-error A plain file is one or none.
      task.files.fromLocal('x', { plain: 'yes' });
      // @ts-expect-error The digest of a directory is a text.
      task.directories.fromLocal('x', { digest: () => 'x' });
      // @ts-expect-error A reference has no setters.
      ref.name = 'y';
    });
    type Making = 'create' | 'existing' | 'fromData' | 'fromLocal' | 'remote';
    expectTypeOf<CachedTaskContext['files']>().toExtend<Pick<OpenTaskDataStore['files'], Making>>();
    expectTypeOf<CachedTaskContext>()
      .toHaveProperty('checkpoint')
      .toEqualTypeOf<OpenTaskDataStore['checkpoint']>();
  });

  it('of schemas are those of references, in cached tasks and typed loads', () => {
    typed(async ({ flow }) => {
      const split = flow.cachedTask({
        name: 'split',
        version: '1',
        output: fileRef(),
        run: async (at: number, { files }) => files.fromData(`${at}`, 'x'),
      });
      expectTypeOf(await split(1)).toEqualTypeOf<FileRef>();
      // @ts-expect-error The schema takes files.
      flow.cachedTask({ name: 'wrong', version: '1', output: fileRef(), run: async () => 'x' });
      const read = async (task: TaskDataStore): Promise<void> => {
        const schemas = { file: fileRef(), directory: directoryRef(), frame: dataFrameRef() };
        const { file, directory, frame } = await task.loadTyped(schemas);
        expectTypeOf(file).toEqualTypeOf<FileRef>();
        expectTypeOf(directory).toEqualTypeOf<DirectoryRef>();
        expectTypeOf(frame).toEqualTypeOf<DataFrameRef>();
      };
      return read;
    });
  });

  it('of what can be read only have no writer', () => {
    // @ts-expect-error A closed task records nothing.
    expectTypeOf<TaskDataStore>().toHaveProperty('checkpoint');
    // @ts-expect-error Nor does it trace.
    expectTypeOf<TaskDataStore>().toHaveProperty('trace');
  });
});
