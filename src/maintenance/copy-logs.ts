import { StowageError } from '../errors.ts';
import { holdsBytes } from '../format/create-own.ts';
import { type LogPart, LogPartNames, logId } from '../format/log-names.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import { isNote, NOTE_BYTES } from '../logs/log-scrubbing.ts';
import type { CallOptions, DataStoreStorage, ListedObject } from '../storage/contract.ts';
import type { CopyContext } from './copy-context.ts';

/** A part of a log that a listing showed. */
interface ListedPart extends LogPart {
  bytes: number | undefined;
}

/** A log that is being scrubbed meanwhile is looked at again so often. */
const MAX_TRIES = 3;

/**
 * Copies the logs of a closed attempt, part by part, as they are; those that the target has are not read. Of a log that was
 * scrubbed the note is copied, and what the target still has of its text is deleted; a log that was scrubbed in the target stays so.
 *
 * @param sourceParts what a listing showed of the task's logs
 */
export async function copyLogs(
  context: CopyContext,
  path: TaskPath,
  attempt: number,
  sourceParts: readonly ListedObject[],
  targetParts: readonly ListedObject[],
): Promise<void> {
  const names = new LogPartNames(path, attempt);
  const theirs = byLog(names, targetParts);
  for (const [id, parts] of byLog(names, sourceParts)) {
    let found: readonly ListedPart[] = parts;
    let there: readonly ListedPart[] = theirs.get(id) ?? [];
    for (let tries = 0; !(await copyLog(context, path, attempt, found, there)); tries++) {
      if (tries === MAX_TRIES) throw beingScrubbed(path, attempt, id);
      found = await listLog(context, context.source.storage, names, id);
      there = await listLog(context, context.target.storage, names, id);
    }
  }
}

/** `false` where a part went while it was copied. */
async function copyLog(
  { source, target, options }: CopyContext,
  path: TaskPath,
  attempt: number,
  parts: readonly ListedPart[],
  there: readonly ListedPart[],
): Promise<boolean> {
  const note = await lastNote(source.storage, parts, options);
  const noteThere = await lastNote(target.storage, there, options);
  const lengths = new Map(there.map(({ name, bytes }) => [name, bytes]));
  for (const { name, sequence, bytes } of parts) {
    const isScrubbed = note !== undefined && sequence < note;
    const isScrubbedThere = noteThere !== undefined && sequence <= noteThere;
    if (isScrubbed || isScrubbedThere || (lengths.has(name) && lengths.get(name) === bytes)) continue;
    const part = await source.storage.get(name, options);
    if (!part) return false;
    const isNew = await target.storage.create(name, part.body, { ...options, durability: 'deferred' });
    if (!isNew && !(await holdsBytes(target.storage, name, part.body, options.signal))) {
      throw otherText(path, attempt, name);
    }
  }
  const text =
    note === undefined ? [] : there.filter(({ sequence }) => sequence < note).map(({ name }) => name);
  const [failure] = text.length === 0 ? [] : await target.storage.delete(text, options);
  if (failure) throw failure.error;
  return true;
}

/** The place where a log was scrubbed last: the number of the note. Text before it was given up. */
async function lastNote(
  storage: DataStoreStorage,
  parts: readonly ListedPart[],
  { signal }: CallOptions,
): Promise<number | undefined> {
  for (const { name, bytes, sequence } of parts.toReversed()) {
    if (bytes === NOTE_BYTES && (await isNote(storage, name, { signal }))) return sequence;
  }
  return undefined;
}

function byLog(names: LogPartNames, objects: readonly ListedObject[]): Map<string, ListedPart[]> {
  const logs = new Map<string, ListedPart[]>();
  for (const { name, bytes } of objects) {
    const part = names.parse(name);
    if (!part) continue;
    const parts = logs.get(logId(part)) ?? [];
    parts.push({ ...part, bytes });
    logs.set(logId(part), parts);
  }
  return logs;
}

async function listLog(
  { options }: CopyContext,
  storage: DataStoreStorage,
  names: LogPartNames,
  id: string,
): Promise<readonly ListedPart[]> {
  const [source, stream] = id.split('.') as [string, string];
  const objects: ListedObject[] = [];
  const prefix = names.prefix({ source, stream });
  for await (const page of storage.list({ prefix, details: true, ...options })) objects.push(...page.objects);
  return byLog(names, objects).get(id) ?? [];
}

function otherText(path: TaskPath, attempt: number, name: string): StowageError {
  const pathspec = formatPathspec(path, attempt);
  return new StowageError(
    'ATTEMPT_EXISTS',
    `The logs of ${path.flow}/${pathspec} in the target say something else (${name}), and the target keeps what it holds. Compare the two; scrub the one there, or copy into another store.`,
    { details: { flow: path.flow, pathspec, name } },
  );
}

function beingScrubbed(path: TaskPath, attempt: number, id: string): StowageError {
  const pathspec = formatPathspec(path, attempt);
  return new StowageError(
    'STORAGE_FAILED',
    `The log ${id} of ${path.flow}/${pathspec} changes while it is copied, again and again. Copy it again once whoever scrubs it has ended.`,
    { details: { flow: path.flow, pathspec } },
  );
}
