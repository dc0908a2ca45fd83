import { attemptSubject, partialBase, readDone } from '../format/attempt-files.ts';
import {
  type CheckpointRecord,
  checkpointSubject,
  decodeCheckpoint,
  encodeCheckpoint,
  MAX_CHECKPOINT_RECORD_BYTES,
} from '../format/checkpoint-record.ts';
import { type PartialName, parsePartialName } from '../format/partial-names.ts';
import { decodeTrace, encodeTrace, MAX_TRACE_BYTES, type TraceRecord } from '../format/trace-record.ts';
import { type CopyIdentity, movedRow, type StoredContents } from '../sessions/copied-session.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { ifWhole } from '../trace/recorded-rows.ts';
import {
  contentsOf,
  type SourceAttempt,
  type SourceContent,
  type StagedContents,
  stageContents,
} from './copy-content.ts';
import type { CopyContext } from './copy-context.ts';

/** A record that an attempt of the source left for the one after it, and what it names. */
export interface PartialToCopy {
  name: PartialName;
  record: TraceRecord | CheckpointRecord;
  contents: readonly SourceContent[];
}

/**
 * Reads the traces and the last checkpoint of an attempt that was not done: what a retry in the target would go on from. None behind a later
 * attempt that is done. One that is gone or damaged is none, as for a retry. One LIST, and a GET each.
 *
 * @param later - attempts after it that are closed
 */
export async function partialOf(
  context: CopyContext,
  { path, attempt }: SourceAttempt,
  later: readonly number[],
): Promise<PartialToCopy[]> {
  const { options } = context;
  const { storage } = context.source;
  const names: PartialName[] = [];
  for await (const page of storage.list({ prefix: `${partialBase(path, attempt)}.`, ...options })) {
    for (const { name } of page.objects) {
      const parsed = parsePartialName(name);
      // The checkpoints of an attempt lie one after the other; the last one counts.
      if (parsed?.kind === 'checkpoint' && names.at(-1)?.kind === 'checkpoint') names.pop();
      if (parsed) names.push(parsed);
    }
  }
  if (names.length === 0) return [];
  for (const number of later)
    if ((await readDone(storage, path, number, options))?.outcome === 'done') return [];
  const found: PartialToCopy[] = [];
  for (const name of names) {
    const one = await ifWhole(async () => {
      const record = await readPartial(storage, name, options);
      return record && { name, record, contents: await contentsOf(context, record.table) };
    });
    if (one) found.push(one);
  }
  return found;
}

/** Has what records name in the target, beside what is staged already. Records whose content is gone are left out. */
export async function stagePartial(
  context: CopyContext,
  records: readonly PartialToCopy[],
  session: Session,
  staged: StagedContents,
): Promise<{ records: PartialToCopy[]; staged: StagedContents }> {
  const kept: PartialToCopy[] = [];
  const [contents, stored] = [[...staged.contents], new Map(staged.stored)];
  let { contentBytes, bytesDeduplicated } = staged;
  for (const one of records) {
    const fresh = one.contents.filter(({ address }) => !stored.has(address.key));
    const found = await ifWhole(() => stageContents(context, fresh, session));
    if (!found) continue;
    kept.push(one);
    contents.push(...fresh);
    for (const [key, content] of found.stored) stored.set(key, content);
    contentBytes += found.contentBytes;
    bytesDeduplicated += found.bytesDeduplicated;
  }
  return { records: kept, staged: { contents, stored, session, contentBytes, bytesDeduplicated } };
}

/** Writes records under the copy's session, before it is closed. What another copier wrote says the same. */
export async function writePartial(
  { target, options }: CopyContext,
  { session }: CopyIdentity,
  records: readonly PartialToCopy[],
  stored: StoredContents,
): Promise<void> {
  for (const { name, record } of records) {
    const table = { artifacts: record.table.artifacts.map((row) => movedRow(row, stored)) };
    const moved = { ...record, session, table };
    const body =
      'call' in moved
        ? encodeTrace(name.path, name.attempt, moved)
        : encodeCheckpoint(moved, subjectOf(name as Extract<PartialName, { kind: 'checkpoint' }>));
    const { storage } = target;
    if (!(await storage.create(name.name, body, { ...options, durability: 'deferred' })))
      await storage.persist([name.name], options);
  }
}

async function readPartial(
  storage: DataStoreStorage,
  name: PartialName,
  options: CallOptions,
): Promise<TraceRecord | CheckpointRecord | undefined> {
  const what = storage.uri(name.name);
  if (name.kind === 'checkpoint') {
    const object = await storage.get(name.name, { ...options, maxBytes: MAX_CHECKPOINT_RECORD_BYTES });
    return object && decodeCheckpoint(object.body, what, subjectOf(name));
  }
  const object = await storage.get(name.name, { ...options, maxBytes: MAX_TRACE_BYTES });
  const subject = { ...attemptSubject(name.path, name.attempt), call: name.call };
  return object && decodeTrace(object.body, what, subject);
}

function subjectOf({
  path,
  attempt,
  sequence,
}: Extract<PartialName, { kind: 'checkpoint' }>): ReturnType<typeof checkpointSubject> {
  return checkpointSubject(path, attempt, sequence);
}
