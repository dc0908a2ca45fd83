import type { ContentRef } from '../../format/content-ref.ts';
import {
  decodePublished,
  MAX_PUBLISHED_BYTES,
  NAMES_FOLDER,
  type PublishedId,
  parsePublishedName,
  publishedRecordName,
  withdrawnMarkName,
} from '../../format/published-names.ts';
import { SESSION_FILES, standaloneFiles } from '../../format/session-files.ts';
import type { SessionId } from '../../format/session-id.ts';
import { readStandaloneResult } from '../../sessions/standalone-result.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import { Cursor, SortedLines } from '../collection/sorted-lines.ts';
import type { Checking, ShownObject } from './checking.ts';
import { problemOf } from './faults.ts';
import type { Finding } from './finding.ts';

/** So many versions are read at once. */
const AHEAD = 15;
/** So many numbers that are missing in a row are told. */
const MAX_GAPS = 100;

/** The objects of one version. */
interface ShownVersion extends PublishedId {
  record?: ShownObject;
  mark?: ShownObject;
}

/** A version that was looked at, and the session that it points at, as far as its record tells. */
interface CheckedVersion {
  findings: Finding[];
  session?: SessionId;
}

/**
 * Layer `names`: published versions and what they point at. Behind the sessions outside tasks, so that one which no name points at was
 * left by a publisher that died.
 */
export async function* checkPublished(checking: Checking): AsyncGenerator<Finding, void> {
  const strangers: Finding[] = [];
  const pointedAt = new SortedLines(checking.folder);
  const versions = groupVersions(checking, (name) => strangers.push(checking.foreign('names', name)));
  let last: PublishedId | undefined;
  let isEachKnown = true;
  function* gaps(next: number): Generator<Finding, void> {
    if (last && last.version > next + 1) isEachKnown = false;
    if (last) yield* gapBelow(checking, last, next);
  }
  for await (const { item, result } of readAhead(
    versions,
    (shown) => checkVersion(checking, shown),
    checking.call,
    AHEAD,
  )) {
    yield* strangers.splice(0);
    yield* gaps(last?.name === item.name ? item.version : 0);
    last = item;
    yield* result.findings;
    if (result.session === undefined) isEachKnown = false;
    else pointedAt.add(result.session);
  }
  yield* strangers;
  yield* gaps(0);
  // A record that is missing, or tells nothing, may point at any session; and only a check of everything has read all names.
  if (isEachKnown && checking.choice.sinceMs === undefined) yield* forgotten(checking, pointedAt);
}

async function* groupVersions(
  checking: Checking,
  onForeign: (name: string) => void,
): AsyncGenerator<ShownVersion, void> {
  let current: ShownVersion | undefined;
  for await (const object of checking.list(NAMES_FOLDER)) {
    const found = parsePublishedName(object.name);
    if (!found) {
      onForeign(object.name);
      continue;
    }
    const { name, version, isMark } = found;
    if (current?.name !== name || current.version !== version) {
      if (current) yield current;
      current = { name, version };
    }
    if (isMark) current.mark = object;
    else current.record = object;
  }
  if (current) yield current;
}

async function checkVersion(checking: Checking, shown: ShownVersion): Promise<CheckedVersion> {
  const { name, version, record, mark } = shown;
  const { storage } = checking;
  const findings: Finding[] = [];
  const filled = mark && checking.filledMark('names', mark);
  if (filled) findings.push(filled);
  const object = publishedRecordName({ name, version });
  const concerns = [concernOf(shown)];
  const about = { layer: 'names', object, severity: mark ? 'damaged' : 'lost', concerns } as const;
  if (!record) {
    const message = `${storage.uri(object)} is missing: beside it a mark says that version ${version} of ${name} was withdrawn, and nothing tells what it kept. Restore it from a copy of the store.`;
    findings.push(checking.found(about, 'missing', message));
    return { findings };
  }
  if (!checking.isRecent(record)) return { findings };
  const read = await checking.record(about, MAX_PUBLISHED_BYTES, (bytes, what) =>
    decodePublished(bytes, what, { name, version }),
  );
  if (read === 'gone') return { findings };
  if ('finding' in read) return { findings: [...findings, read.finding] };
  const { session } = read.value;
  findings.push(...(await checkSession(checking, shown, session)));
  return { findings, session };
}

/** The session's own faults are told with all sessions. */
async function checkSession(checking: Checking, shown: ShownVersion, session: SessionId): Promise<Finding[]> {
  const { name, version, mark } = shown;
  const { storage, call } = checking;
  const { base } = standaloneFiles(session);
  const [done, released] = await Promise.all(
    [SESSION_FILES.done, SESSION_FILES.deleted].map((file) => storage.head(base + file, call)),
  );
  const concerns = [concernOf(shown)];
  const which = `version ${version} of ${name}`;
  if (!done && mark) return []; // a copy of a withdrawn version has no session
  if (!done) {
    const object = base + SESSION_FILES.done;
    const message = `${storage.uri(object)} is missing, with the other records of the session that ${which} points at. Restore them from a copy of the store.`;
    return [checking.found({ layer: 'loose', object, severity: 'lost', concerns }, 'missing', message)];
  }
  const about = { layer: 'names', object: publishedRecordName(shown), concerns, remedy: 'leave' } as const;
  if (mark && !released && checking.isSettled(mark)) {
    const why = `is withdrawn, and what it kept was not given up: the withdrawal was interrupted. Withdraw ${which} again.`;
    return [checking.leftover(about, why)];
  }
  if (!mark && released) {
    // It may have been withdrawn since it was listed.
    if (await storage.head(withdrawnMarkName(shown), call)) return [];
    const message = `${storage.uri(about.object)} points at the session ${session}, which was released by itself: ${which} keeps nothing any more. Withdraw it.`;
    return [checking.found({ ...about, severity: 'notice' }, 'contradiction', message)];
  }
  if (!mark) await want(checking, shown, session);
  return [];
}

/** What is wrong with its content concerns the version as well. */
async function want(checking: Checking, shown: ShownVersion, session: SessionId): Promise<void> {
  const owner = publishedRecordName(shown);
  try {
    const result = await readStandaloneResult(checking.content, session, checking.call);
    for (const { content, refs = [] } of result?.described?.table.artifacts ?? []) {
      const told = { owner, kind: 'published version', name: '' } as const;
      if (content) checking.wanted.content(content, { ...told, copy: content.copy });
      for (const ref of refs as readonly ContentRef[]) checking.wanted.ref(ref, told);
    }
  } catch (error) {
    problemOf(error); // which is told of the session; throws what ends the check
  }
}

function* gapBelow(
  checking: Checking,
  { name, version }: PublishedId,
  next: number,
): Generator<Finding, void> {
  const lowest = Math.max(next + 1, version - MAX_GAPS);
  for (let missing = version - 1; missing >= lowest; missing--) {
    const object = publishedRecordName({ name, version: missing });
    const message = `${checking.storage.uri(object)} is missing: later versions of ${name} are there, and they have no gaps. Restore it from a copy of the store.`;
    const concerns = [concernOf({ name, version: missing })];
    yield checking.found({ layer: 'names', object, severity: 'lost', concerns }, 'missing', message);
  }
}

/** Sessions that no name points at: their publishers died before, or the newest version of a name has lost its record, which leaves no gap. */
function* forgotten(checking: Checking, pointedAt: SortedLines): Generator<Finding, void> {
  const pointed = new Cursor(pointedAt.sorted());
  try {
    for (const session of checking.publishedSessions.sorted()) {
      if (pointed.has(session)) continue;
      const object = standaloneFiles(session).base + SESSION_FILES.metadata;
      const about = { layer: 'names', object, remedy: 'leave' } as const;
      yield checking.leftover(
        about,
        'keeps a value that was to be published, and no name points at it. Either its publisher died before the value had a name, or the record of the newest version of a name was lost. Look for that in names/ of a copy of the store, and restore it; nobody can load the value by a name until then.',
      );
    }
  } finally {
    pointed.close();
  }
}

function concernOf({ name, version }: PublishedId): { kind: 'published version'; name: string } {
  return { kind: 'published version', name: `${name}/${version}` };
}
