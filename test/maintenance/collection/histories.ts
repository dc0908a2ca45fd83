import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import type { OpenTaskDataStore } from '../../../src/flow/open-task-data-store.ts';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { attemptSubject, listAttempts, listTasks, readDone } from '../../../src/format/attempt-files.ts';
import { checkpointSubject, decodeCheckpoint } from '../../../src/format/checkpoint-record.ts';
import { isDamagedMark, parseCopyName } from '../../../src/format/content-names.ts';
import type { ContentRef } from '../../../src/format/content-ref.ts';
import { type PartialName, parsePartialName } from '../../../src/format/partial-names.ts';
import { refsOf } from '../../../src/format/refs.ts';
import { decodeTrace } from '../../../src/format/trace-record.ts';
import { readSession } from '../../../src/maintenance/collection/kept-by-session.ts';
import { listSessions } from '../../../src/maintenance/collection/session-listing.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { noise, objectNames } from '../../flow/fixtures.ts';

/** One thing that a user of a store does. */
export type Deed =
  | {
      kind: 'save';
      task: string;
      outcome: 'done' | 'failed' | 'open';
      seeds: number[];
      bytes: number;
      report: boolean;
    }
  | { kind: 'clone'; from: string; to: string }
  | { kind: 'loose'; seed: number; bytes: number; plain: boolean; release: boolean }
  | { kind: 'mark'; task: string; mark: 'DELETED' | 'PURGED' };

const task = fc.constantFrom('a', 'b', 'b-c', '10');
const seed = fc.integer({ min: 1, max: 4 });
const bytes = fc.constantFrom(20_000, 20_000, 70_000, 300_000);

export const arbitraryDeeds: fc.Arbitrary<Deed[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('save' as const),
        task,
        outcome: fc.constantFrom('done', 'done', 'failed', 'open'),
        seeds: fc.array(seed, { maxLength: 3 }),
        bytes,
        report: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clone' as const), from: task, to: task }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('loose' as const),
        seed,
        bytes,
        plain: fc.boolean(),
        release: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('mark' as const),
        task,
        mark: fc.constantFrom('DELETED', 'PURGED'),
      }),
    },
  ),
  { maxLength: 10 },
);

/** Does all deeds, one after the other. Resolves to the attempts that stand open. */
export async function carryOut(flow: FlowDataStore, deeds: readonly Deed[]): Promise<OpenTaskDataStore[]> {
  const open: OpenTaskDataStore[] = [];
  for (const deed of deeds) {
    if (deed.kind === 'save') {
      const spec = { runId: 'r1', stepName: 'fit', taskId: deed.task };
      const attempt = await flow.createTaskDataStore(spec);
      await attempt.saveArtifacts(
        Object.fromEntries(deed.seeds.map((each, i) => [`v${i}`, noise(deed.bytes, each)])),
      );
      if (deed.report) attempt.report('seeds').table(deed.seeds.map((seed) => ({ seed })));
      if (deed.outcome === 'done') await attempt.done();
      if (deed.outcome === 'failed') await attempt.fail(new Error('diverged'));
      if (deed.outcome === 'open') open.push(attempt);
    } else if (deed.kind === 'clone') await clone(flow, deed.from, deed.to);
    else if (deed.kind === 'mark') await markClosed(flow.storage, deed.task, deed.mark);
    else {
      const save = deed.plain
        ? flow.caStore.saveData([{ name: 'x.bin', data: noise(deed.bytes, deed.seed) }])
        : flow.caStore.saveBlobs([noise(deed.bytes, deed.seed)]);
      const [saved] = await save;
      if (deed.release && saved) await flow.caStore.release(saved.session);
    }
  }
  return open;
}

async function clone(flow: FlowDataStore, from: string, to: string): Promise<void> {
  const rule = { attempt: 'latestDone' } as const;
  const origin = await flow.getTaskDataStore(`r1/fit/${from}`, rule).catch(() => undefined);
  if (!origin) return;
  const copy = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: to });
  try {
    await copy.clone(origin);
    await copy.done();
  } catch (error) {
    await copy.fail(error);
  }
}

/** What retention does with all closed attempts of a task. */
export async function markClosed(
  storage: DataStoreStorage,
  taskId: string,
  mark: 'DELETED' | 'PURGED',
): Promise<void> {
  for (const done of await objectNames(storage, `flows/Test/r1/fit/${taskId}/`)) {
    if (!done.endsWith('.DONE')) continue;
    const base = done.slice(0, -'.DONE'.length);
    await storage.create(`${base}.${mark}`, new Uint8Array(0));
    if (mark === 'DELETED') await storage.delete([`${base}.metadata.json`]);
  }
}

/** The names of content that the records of a store keep alive, told by all of them at once, in memory. */
export async function keptNames(storage: DataStoreStorage): Promise<string[]> {
  const content = new ContentAddressedStore(storage);
  const keys = new Set<string>();
  const names = new Set<string>();
  const open = new Set<string>();
  const openTasks: string[] = [];
  for await (const listed of listSessions(storage, {})) {
    const fate = await readSession(content, listed, {});
    for (const { kind, name } of fate.refs) (kind === 'key' ? keys : names).add(name);
    if (fate.state === 'open') {
      open.add(fate.attempt.session);
      if (listed.values) openTasks.push(listed.values);
    } else for (const { name } of fate.values) names.add(name);
  }
  const all = await objectNames(storage);
  for (const { kind, name } of await refsOfPartial(storage, all)) (kind === 'key' ? keys : names).add(name);
  const sessionIn = (name: string): string =>
    /[0-7][0-9a-v]{25}/.exec(name.replace(/\/[0-9a-f]{64}\./, '/'))?.[0] ?? '';
  for (const name of all) {
    const copy = parseCopyName(name);
    if (!copy || !(keys.has(copy.key) || open.has(copy.session))) continue;
    names.add(name);
    if (copy.folder === 'data') continue;
    const described = await content.reader.describeCopy(name);
    for (const pack of described?.packs ?? []) names.add(pack.name);
    if (described?.plain) names.add(described.plain);
  }
  return all.filter(
    (name) =>
      isContent(name) &&
      !isDamagedMark(name) &&
      (names.has(name) || open.has(sessionIn(name)) || openTasks.some((base) => name.startsWith(base))),
  );
}

/** What traces, and the last checkpoint of each attempt, name that is neither done nor given up, behind the latest one of its task that is done. */
async function refsOfPartial(storage: DataStoreStorage, all: readonly string[]): Promise<ContentRef[]> {
  const refs: ContentRef[] = [];
  const records = all.flatMap((name) => parsePartialName(name) ?? []);
  for (const record of records) {
    const { path, attempt, name, kind } = record;
    const isLaterOne = (other: PartialName): boolean =>
      other.kind === 'checkpoint' && other.attempt === attempt && isDeepStrictEqual(other.path, path);
    if (kind === 'checkpoint' && records.filter(isLaterOne).at(-1) !== record) continue;
    const attempts = await listAttempts(storage, path, {});
    const files = attempts.get(attempt);
    if (!files || files.has('deleted') || files.has('purged')) continue;
    let isOver = false;
    for (const number of attempts.keys())
      if (number >= attempt) isOver ||= (await readDone(storage, path, number, {}))?.outcome === 'done';
    const object = isOver ? undefined : await storage.get(name);
    if (!object) continue;
    const subject = attemptSubject(path, attempt);
    const { table } =
      kind === 'trace'
        ? decodeTrace(object.body, name, { ...subject, call: record.call })
        : decodeCheckpoint(object.body, name, checkpointSubject(path, attempt, record.sequence));
    if (table) refs.push(...refsOf({ kind, table }));
  }
  return refs;
}

export function isContent(name: string): boolean {
  return /^(data|manifests|packs|plain|values)\//.test(name);
}

/** The names of content that is there. */
export async function contentNames(storage: DataStoreStorage): Promise<string[]> {
  return (await objectNames(storage)).filter(isContent);
}

/** Reads everything that every attempt has which may be read, exactly. */
export async function readEverything(flow: FlowDataStore): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for await (const { path, attempts } of listTasks(flow.storage, { flow: 'Test', run: 'r1' }, {})) {
    for (const [attempt, files] of attempts) {
      if (!files.has('done') || files.has('deleted') || files.has('purged')) continue;
      const pathspec = `r1/fit/${path.task}/${attempt}`;
      const read = await flow.getTaskDataStore(pathspec, { allowNotDone: true });
      all[pathspec] = read.status === 'abandoned' ? 'abandoned' : await read.loadArtifacts();
      for (const { name } of await read.reports()) all[`${pathspec} ${name}`] = await read.loadReport(name);
    }
  }
  for await (const listed of listSessions(flow.storage, {}, ['loose/'])) {
    const fate = await readSession(flow.caStore, listed, {});
    if (fate.state === 'open') continue;
    const keys = fate.refs.map(({ name }) => name);
    for await (const { key, blob } of flow.caStore.loadBlobs(keys)) all[`${listed.base}/${key}`] = blob;
  }
  return all;
}
