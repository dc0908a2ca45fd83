import type { ContentStore } from '../../content/content-store.ts';
import { StowageError } from '../../errors.ts';
import { type ContentRef, HERE } from '../../format/content-ref.ts';
import { type DescriptionMarks, readCurrentDescription } from '../../format/current-description.ts';
import { type ArtifactEntry, decodeTable } from '../../format/description.ts';
import { decodePins } from '../../format/open-session.ts';
import { refsOf } from '../../format/refs.ts';
import {
  type AttemptRecord,
  type DoneRecord,
  decodeAttempt,
  decodeDone,
  readSessionFile,
  SESSION_FILES,
} from '../../format/session-files.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { type ListedSession, listAgain } from './session-listing.ts';

/** An object of values that a description lists. */
export interface KeptValues {
  place: string;
  name: string;
}

/** What a session keeps alive, as its records tell it (docs/format.md, "What keeps content alive"). */
export type SessionFate =
  | { state: 'open'; attempt: AttemptRecord; refs: ContentRef[] }
  | {
      state: 'closed';
      done: DoneRecord;
      refs: ContentRef[];
      values: KeptValues[];
      /** No mark came since it was listed. */
      isAsListed: boolean;
      /** The rows that keep it, of a description that was not given up. */
      artifacts?: readonly ArtifactEntry[];
    };

/** The most bytes of a record of pins that is read: a session pins 20,000 contents at a time. */
const MAX_PINS_BYTES = 64 * 1024 * 1024;

/**
 * Reads what a session keeps alive: DONE first, then attempt.json and pins (model: `read`). What the listing showed of it counts; what is
 * closed by now, and was open then, is read as open, and its pins are still there.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`, naming the record that cannot be read
 */
export async function readSession(
  content: ContentStore,
  listed: ListedSession,
  options: CallOptions,
): Promise<SessionFate> {
  return listed.files.has('done') ? readClosed(content, listed, options) : readOpen(content, listed, options);
}

async function readOpen(
  content: ContentStore,
  listed: ListedSession,
  options: CallOptions,
): Promise<SessionFate> {
  const { storage } = content;
  const name = listed.base + SESSION_FILES.attempt;
  const bytes = await readSessionFile(storage, name, options);
  if (!bytes) throw damage(storage.uri(name), 'it is missing, and the attempt has other files');
  const attempt = decodeAttempt(bytes, storage.uri(name), listed.subject);
  const refs = refsOf({ kind: 'attempt', attempt });
  for await (const page of storage.list({ prefix: `pins/${attempt.session}/`, signal: options.signal })) {
    for (const pins of page.objects) {
      const what = storage.uri(pins.name);
      const object = await storage.get(pins.name, { signal: options.signal, maxBytes: MAX_PINS_BYTES });
      if (object) {
        const entries = decodePins(object.body, what, attempt.session);
        for (const ref of refsOf({ kind: 'pins', entries })) refs.push(ref);
        continue;
      }
      // Pins go once somebody saw the session closed: what it keeps is told by its description then.
      const now = await listAgain(storage, listed, options);
      if (now?.files.has('done')) return readClosed(content, now, options);
      throw damage(what, 'it is gone, and its session is open');
    }
  }
  return { state: 'open', attempt, refs };
}

async function readClosed(
  content: ContentStore,
  listed: ListedSession,
  options: CallOptions,
): Promise<SessionFate> {
  const { storage } = content;
  const name = listed.base + SESSION_FILES.done;
  const bytes = await readSessionFile(storage, name, options);
  if (!bytes) throw damage(storage.uri(name), 'it was listed and cannot be read');
  const done = decodeDone(bytes, storage.uri(name), listed.subject);
  const closed: SessionFate & { state: 'closed' } = {
    state: 'closed',
    done,
    refs: [],
    values: [],
    isAsListed: true,
  };
  if (listed.files.has('deleted') || done.outcome === 'abandoned') return closed;
  const session = { ...listed, subject: { ...listed.subject, session: done.session }, done };
  let marks = listed;
  const listMarks = async (): Promise<DescriptionMarks | undefined> => {
    closed.isAsListed = false;
    marks = (await listAgain(storage, listed, options)) ?? marks;
    return { isDeleted: marks.files.has('deleted'), erasedRevision: marks.erasedRevision };
  };
  const described = await readCurrentDescription(storage, session, listed, listMarks, options);
  if (!described) return closed;
  const { description } = described;
  const moved = typeof description.table === 'function' ? undefined : description.table;
  if (moved) closed.refs.push(...refsOf({ kind: 'metadata', table: moved }));
  if (marks.files.has('purged')) return closed;
  const table = moved
    ? decodeTable(await content.reader.load(moved, options), moved.copy)
    : (description.table as () => Parameters<typeof refsOfTable>[0])();
  closed.artifacts = table.artifacts;
  for (const ref of refsOfTable(table)) closed.refs.push(ref);
  closed.refs.push(...refsOf({ kind: 'reports', reports: description.reports }));
  for (const { object, place = HERE } of description.values) {
    closed.values.push({ place, name: `${listed.values}${object}` });
  }
  return closed;
}

function refsOfTable(table: ReturnType<typeof decodeTable>): ContentRef[] {
  return refsOf({ kind: 'artifact-table', table });
}

function damage(what: string, why: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} cannot be read: ${why}. Nothing is collected, since it may keep content alive; restore it from a copy of the store, or delete its run.`,
    { details: { what } },
  );
}
