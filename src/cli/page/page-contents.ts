import { BoundedMap } from '../../async/bounded-map.ts';
import { shell } from '../../codec/shell-command.ts';
import { invalidArgument, StowageError } from '../../errors.ts';
import type { ArtifactInfo } from '../../flow/artifact-info.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { formatBytes } from '../../options/figures.ts';
import { isSentAsItLies, isServed, MAX_DECODED_BYTES } from '../../page/content-bounds.ts';
import type { AskedAttempt, AskedContent, ServedContent } from '../../page/page-host.ts';
import { DirectoryRef } from '../../references/directory/directory-ref.ts';
import { shownUri } from '../../references/errors.ts';
import type { FileRef } from '../../references/file-ref.ts';
import { SNIFFED_BYTES, shownMediaType } from '../../views/media-type.ts';
import { isShownReference, type Reference } from '../../views/references.ts';
import { filesOf } from '../files/artifact-files.ts';
import type { OpenedStore } from '../opened-store.ts';
import type { ValueRoom } from '../value-room.ts';
import { ownForm } from '../values/artifact-writer.ts';
import { ValueJson } from '../values/value-json.ts';

/** Attempts that are closed never change: so many stay open, and so many of their contents, whose ranges cost their bytes alone. */
const KEPT_ATTEMPTS = 32;
const KEPT_CONTENTS = 64;

/** What was read of attempts that are closed. */
interface Kept {
  attempts: BoundedMap<string, TaskDataStore>;
  contents: BoundedMap<string, ServedContent>;
}

const keptOf = new WeakMap<OpenedStore, Kept>();

/**
 * A content as a page is served it: bytes, text, typed arrays and tables as they lie in the store, files as they are referred to, everything
 * else as the JSON that `stowage get` writes, once there is room for the value.
 *
 * @throws StowageError what reading the attempt throws; `ARTIFACT_NOT_FOUND`, `REFERENCE_NOT_FOUND`; `INVALID_ARGUMENT` for a directory
 * without an entry, and for a file outside of the store that nobody asked to save; `CONTENT_TOO_LARGE`
 */
export async function servedContent(
  opened: OpenedStore,
  asked: AskedContent,
  values: ValueRoom,
  signal: AbortSignal,
): Promise<ServedContent> {
  const { flow, run, step, task: id, attempt, artifact, entry } = asked;
  const name = JSON.stringify([flow, run, step, id, attempt, artifact, entry]);
  const known = keptBy(opened).contents.get(name);
  if (known) return known;
  const task = await openAttempt(opened, asked, signal);
  const content = await contentOf(task, asked, values, signal);
  if (content.isFixed && task.closedAt !== undefined) keptBy(opened).contents.set(name, content);
  return content;
}

/** Opens an attempt, whatever its status: one that failed has artifacts too. */
export async function openAttempt(
  opened: OpenedStore,
  { flow, run, step, task, attempt }: AskedAttempt,
  signal: AbortSignal,
): Promise<TaskDataStore> {
  const { attempts } = keptBy(opened);
  const name = [flow, run, step, task, attempt].join('/');
  const known = attempts.get(name);
  if (known) return known;
  const rule = { attempt, allowNotDone: true };
  const read = await (await opened.flow(flow)).getTaskDataStore(`${run}/${step}/${task}`, {
    ...rule,
    signal,
  });
  if (read.closedAt !== undefined) attempts.set(name, read);
  return read;
}

function keptBy(opened: OpenedStore): Kept {
  const known = keptOf.get(opened);
  if (known) return known;
  const kept: Kept = {
    attempts: new BoundedMap(KEPT_ATTEMPTS),
    contents: new BoundedMap(KEPT_CONTENTS),
  };
  keptOf.set(opened, kept);
  return kept;
}

async function contentOf(
  task: TaskDataStore,
  asked: AskedContent,
  values: ValueRoom,
  signal: AbortSignal,
): Promise<ServedContent> {
  const { artifact, entry } = asked;
  const info = task.info(artifact);
  const value = ownForm(info) === 'file' ? await task.get(artifact, { signal }) : undefined;
  if (isShownReference(value)) return referenced(value, info, asked, signal);
  if (entry !== undefined)
    throw invalidArgument(`${artifact} is no directory (${info.type}), and has no entries.`, { artifact });
  return isSentAsItLies(info) ? asItLies(task, info, signal) : asJson(task, info, asked, values);
}

async function asItLies(
  task: TaskDataStore,
  info: ArtifactInfo,
  signal: AbortSignal,
): Promise<ServedContent> {
  const { name, key, bytes, encoding } = info;
  const open: ServedContent['open'] = (range, own) => task.streamArtifact(name, { range, signal: own });
  const known = encoding === 'string' ? 'text/plain' : undefined;
  const type = encoding === 'bytes' ? await typeOf(name, open, signal) : known;
  return { name: fileName(info), type, size: bytes, tag: key, isFixed: true, open };
}

function asJson(
  task: TaskDataStore,
  info: ArtifactInfo,
  { flow, run, step, task: id, attempt }: AskedContent,
  values: ValueRoom,
): ServedContent {
  const { name, key, bytes } = info;
  if (!isServed(info)) {
    const path = [flow, run, step, id, attempt].join('/');
    const command = shell`stowage get ${path} ${name} -o ${fileName(info)}`;
    const message = `${name} is ${formatBytes(bytes)} (${info.type}), more than the page writes as JSON (${formatBytes(MAX_DECODED_BYTES)}). Write it to a file with: ${command}`;
    throw new StowageError('CONTENT_TOO_LARGE', message, { details: { artifact: name, bytes } });
  }
  return {
    name: fileName(info),
    type: 'text/plain',
    size: undefined,
    tag: `${key}-json`,
    isFixed: true,
    async *open(_, signal) {
      const leave = await values.take(bytes, signal);
      try {
        const value = await task.get(name, { signal });
        if (typeof value === 'string') return yield Buffer.from(value); // one that UTF-8 cannot hold
        for (const piece of new ValueJson().pieces(value)) yield Buffer.from(piece);
        yield Buffer.from('\n');
      } finally {
        leave();
      }
    },
  };
}

async function referenced(
  value: Reference,
  info: ArtifactInfo,
  { artifact, entry, download }: AskedContent,
  signal: AbortSignal,
): Promise<ServedContent> {
  if (value instanceof DirectoryRef) {
    if (entry === undefined)
      throw invalidArgument(`${artifact} is a directory: name one of its files (entry).`, { artifact });
    const file = await value.get(entry, { signal });
    const open: ServedContent['open'] = (range, own) => file.open({ range, signal: own });
    const type = await typeOf(file.name, open, signal);
    return { name: file.name, type, size: file.size, tag: file.digest, isFixed: true, open };
  }
  if (entry !== undefined)
    throw invalidArgument(`${artifact} is a file, not a directory, and has no entries.`, { artifact });
  const file: FileRef = 'file' in value ? value.file : value;
  const { uri, name } = file;
  // A page shows what it is told to by values: these must not have it ask other servers.
  if (uri !== undefined && !download) {
    const message = `${artifact} lies outside of the store (${shownUri(uri)}), and is only read there to save it (download).`;
    throw invalidArgument(message, { artifact, uri: shownUri(uri) });
  }
  const size = file.size ?? (await file.stat({ signal }))?.size;
  const open: ServedContent['open'] = (range, own) => file.open({ range, signal: own });
  const type = uri === undefined ? await typeOf(name, open, signal) : undefined;
  return { name, type, size, tag: info.key, isFixed: uri === undefined, open };
}

/** The type by which a browser may show a content; `undefined` for what it is only to save. */
async function typeOf(
  name: string,
  open: ServedContent['open'],
  signal: AbortSignal,
): Promise<string | undefined> {
  const pieces: Uint8Array[] = [];
  for await (const piece of open({ offset: 0, length: SNIFFED_BYTES }, signal)) pieces.push(piece);
  return shownMediaType(Buffer.concat(pieces), name);
}

function fileName(info: ArtifactInfo): string {
  return filesOf([info], undefined)[0]?.file ?? info.name;
}
