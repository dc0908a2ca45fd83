import type { BoundedWork } from '../async/bounded-work.ts';
import { StowageError } from '../errors.ts';
import {
  decodeAttempt,
  decodeDone,
  readSessionFile,
  SESSION_FILES,
  standaloneFiles,
} from '../format/session-files.ts';
import { isSessionId } from '../format/session-id.ts';
import { originOf } from '../sessions/closed-result.ts';
import { type CopyIdentity, givenUp, refused } from '../sessions/copied-session.ts';
import { readStandaloneResult } from '../sessions/standalone-result.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

import { copySession } from './copy-attempt.ts';
import { contentsOf } from './copy-content.ts';
import type { CopyContext } from './copy-context.ts';

/** Copies what was saved outside tasks and not released since. Sessions keep their ids, by which users release them. */
export async function copyLooseSessions(context: CopyContext, work: BoundedWork): Promise<void> {
  const { source, target, report, options } = context;
  const there = listSessions(target.storage, options)[Symbol.asyncIterator]();
  let other = await there.next();
  for await (const { session, files } of listSessions(source.storage, options)) {
    while (!other.done && other.value.session < session) other = await there.next();
    const targetFiles = !other.done && other.value.session === session ? other.value.files : undefined;
    if (files.has(SESSION_FILES.deleted) || context.keptSessions.has(session)) continue;
    await work.begin(async () => {
      await report.count(report.sessions, `loose/${session}`, () =>
        copyLoose(context, session, files, targetFiles),
      );
    });
  }
  await there.return?.(undefined);
}

/**
 * Copies a session that a record names, the code of a run or a published version, as {@link copyLooseSessions} does, which leaves it out
 * then. One that was released keeps nothing, and is not copied; of one that is missing there is nothing to copy.
 *
 * @throws StowageError what keeps it from being copied, which is among the problems then; `RECORD_DAMAGED` where nothing says that it was closed, as it was before
 * the record named it
 */
export async function copyKept(
  context: CopyContext,
  session: string,
): Promise<'kept' | 'released' | 'missing'> {
  const { source, target, options } = context;
  context.keptSessions.add(session);
  const [files, targetFiles] = await Promise.all(
    [source, target].map(async ({ storage }) => {
      for await (const found of listSessions(storage, options, session)) return found.files;
      return undefined;
    }),
  );
  if (!files) return 'missing';
  if (files.has(SESSION_FILES.deleted)) return 'released';
  let outcome: Awaited<ReturnType<typeof copyLoose>> | undefined;
  let failure: unknown;
  await context.report.count(context.report.sessions, `loose/${session}`, async () => {
    try {
      outcome = await copyLoose(context, session, files, targetFiles);
      if (outcome === 'open') throw unclosed(source.storage, session);
      return outcome;
    } catch (error) {
      failure = error;
      throw error;
    }
  });
  if (failure !== undefined) throw failure;
  return outcome === 'nothing' ? 'released' : 'kept';
}

async function copyLoose(
  context: CopyContext,
  session: string,
  files: ReadonlySet<string>,
  targetFiles: ReadonlySet<string> | undefined,
): Promise<'copied' | 'present' | 'open' | 'nothing'> {
  if (!files.has(SESSION_FILES.done)) return 'open';
  // An id is never used again, so that what has it is the same, unless it was given up before it was whole.
  const isThere = targetFiles?.has(SESSION_FILES.done) ?? false;
  if (isThere && !(await isAbandoned(context, session))) return 'present';
  const result = await readStandaloneResult(context.source, session, context.options);
  // A session that failed keeps nothing.
  if (result?.done.outcome !== 'done' || !result.described) return 'nothing';
  if (isThere) throw givenUp(`Session ${session}`);
  const copy: CopyIdentity = {
    ...standaloneFiles(session),
    session,
    origin: originOf(result.done, context.sourceId),
    what: `Session ${session}`,
  };
  if (targetFiles) await checkInterrupted(context, copy);
  const contents = await contentsOf(context, result.described.table);
  if (context.dryRun) for (const { address } of contents) context.report.wouldCopy(address.bytes ?? 0);
  else await copySession(context, copy, result, contents);
  return 'copied';
}

function unclosed(storage: DataStoreStorage, session: string): StowageError {
  const what = storage.uri(standaloneFiles(session).base + SESSION_FILES.done);
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is missing: a record names session ${session}, which was closed before. Restore it from a copy of the store.`,
    { details: { what, session } },
  );
}

/** True if a collector of the target gave up on what a copy had left open there. */
async function isAbandoned({ target, options }: CopyContext, session: string): Promise<boolean> {
  const name = `loose/${session}${SESSION_FILES.done}`;
  const standing = await readSessionFile(target.storage, name, options);
  return (
    standing !== undefined &&
    decodeDone(standing, target.storage.uri(name), standaloneFiles(session).subject).outcome === 'abandoned'
  );
}

async function checkInterrupted({ target, options }: CopyContext, copy: CopyIdentity): Promise<void> {
  const name = copy.base + SESSION_FILES.attempt;
  const standing = await readSessionFile(target.storage, name, options);
  if (standing && decodeAttempt(standing, target.storage.uri(name), copy.subject).origin) return;
  throw refused(copy.what, 'is open there, and no copy');
}

/** The sessions outside tasks, and the suffixes of their files. */
async function* listSessions(
  storage: DataStoreStorage,
  options: CallOptions,
  only = '',
): AsyncGenerator<{ session: string; files: ReadonlySet<string> }> {
  let current: { session: string; files: Set<string> } | undefined;
  for await (const page of storage.list({ prefix: `loose/${only}`, ...options })) {
    for (const { name } of page.objects) {
      const dot = name.indexOf('.');
      const session = name.slice('loose/'.length, dot);
      if (dot === -1 || !isSessionId(session)) continue;
      if (current?.session !== session) {
        if (current) yield current;
        current = { session, files: new Set() };
      }
      current.files.add(name.slice(dot));
    }
  }
  if (current) yield current;
}
