import { digestHex } from '../../digest/blake3.ts';
import { StowageError } from '../../errors.ts';
import {
  type ArtifactTable,
  decodeDescription,
  decodeTable,
  MAX_DESCRIPTION_BYTES,
  type ReadDescription,
  readDescription,
} from '../../format/description.ts';
import { decodeRecord } from '../../format/record.ts';
import {
  type AttemptRecord,
  type DoneRecord,
  decodeAttempt,
  decodeDone,
  erasedFile,
  MAX_SESSION_RECORD_BYTES,
  SESSION_FILES,
} from '../../format/session-files.ts';
import type { StoredContent } from '../../format/stored-content.ts';
import type { Checking } from './checking.ts';
import { problemOf } from './faults.ts';
import type { Finding, Layer } from './finding.ts';
import type { ShownSession } from './listed-sessions.ts';

/** What is known of a session by its records. */
export interface SessionFacts {
  findings: Finding[];
  attempt?: AttemptRecord;
  done?: DoneRecord;
  /** Absent of a session that is open, given up or abandoned, or whose description is damaged. */
  description?: ReadDescription;
  /** The rows that count: none of a description whose content was given up, or whose table cannot be loaded. */
  table?: ArtifactTable;
  /** The table, where it was moved. */
  moved?: StoredContent;
  /** Some record is damaged or missing, so that what it kept cannot be told. */
  isBroken: boolean;
}

/** Reads the records of a session and holds them against each other; learns nothing for later. */
export async function lookAtSession(checking: Checking, shown: ShownSession): Promise<SessionFacts> {
  const facts: SessionFacts = { findings: [], isBroken: false };
  await lookAtAttempt(checking, shown, facts);
  await lookAtDone(checking, shown, facts);
  const { attempt, done } = facts;
  if (attempt && done && attempt.session !== done.session) {
    const object = shown.base + SESSION_FILES.done;
    const message = `${checking.storage.uri(object)} is of session ${done.session}, and ${SESSION_FILES.attempt.slice(1)} beside it of ${attempt.session}: they are not of one attempt. Restore both from a copy of the store.`;
    tell(
      facts,
      checking.found({ layer: layerOf(shown), object, severity: 'lost' }, 'contradiction', message),
    );
  }
  for (const file of ['deleted', 'purged'] as const) {
    const mark = shown.objects.get(SESSION_FILES[file]);
    const filled = mark && checking.filledMark(layerOf(shown), mark);
    if (filled) facts.findings.push(filled);
  }
  lookAtRest(checking, shown, facts);
  if (done && done.outcome !== 'abandoned' && !shown.files.has('deleted'))
    await lookAtDescription(checking, shown, done, facts);
  return facts;
}

export function layerOf({ values }: Pick<ShownSession, 'values'>): Layer {
  return values === undefined ? 'loose' : 'attempts';
}

async function lookAtAttempt(checking: Checking, shown: ShownSession, facts: SessionFacts): Promise<void> {
  const { base, files, subject } = shown;
  const object = base + SESSION_FILES.attempt;
  const isClosed = files.has('done');
  const about = { layer: layerOf(shown), object, severity: isClosed ? 'damaged' : 'lost' } as const;
  if (files.has('attempt')) {
    const read = await checking.record(about, MAX_SESSION_RECORD_BYTES, (bytes, what) =>
      decodeAttempt(bytes, what, subject),
    );
    if (read !== 'gone' && 'value' in read) facts.attempt = read.value;
    else if (read !== 'gone') tell(facts, read.finding);
    if (read !== 'gone') return;
  }
  const others = [...shown.objects.keys()].map((suffix) => suffix.slice(1)).join(', ');
  const message = `${checking.storage.uri(object)} is missing, and beside it there is ${others}. ${isClosed ? 'The attempt can be read all the same' : 'What it saved cannot be read'}; restore the record from a copy of the store.`;
  tell(facts, checking.found(about, 'missing', message));
}

async function lookAtDone(checking: Checking, shown: ShownSession, facts: SessionFacts): Promise<void> {
  const { base, files, subject, erasedRevision } = shown;
  const isGivenUp = files.has('deleted') || files.has('purged') || erasedRevision !== undefined;
  if (!files.has('done') && isGivenUp) {
    const object = base + SESSION_FILES.done;
    const message = `${checking.storage.uri(object)} is missing: the attempt was closed, since a mark says that something of it was given up. Restore it from a copy of the store.`;
    tell(facts, checking.found({ layer: layerOf(shown), object }, 'missing', message));
  }
  if (!files.has('done')) return;
  const about = { layer: layerOf(shown), object: base + SESSION_FILES.done, severity: 'lost' } as const;
  const read = await checking.record(about, MAX_SESSION_RECORD_BYTES, (bytes, what) =>
    decodeDone(bytes, what, subject),
  );
  if (read === 'gone') return;
  if ('value' in read) facts.done = read.value;
  else tell(facts, read.finding);
}

/** Files that should not be there any more, or of which one more should be there. */
function lookAtRest(checking: Checking, shown: ShownSession, facts: SessionFacts): void {
  const { base, files, objects, erasedRevision } = shown;
  const described = objects.get(SESSION_FILES.metadata);
  if (!described || !checking.isSettled({ modifiedAtMs: shown.modifiedAtMs })) return;
  const about = { layer: layerOf(shown), object: described.name, remedy: 'delete' } as const;
  if (files.has('deleted'))
    facts.findings.push(
      checking.leftover(about, 'was given up, and is still there: its deletion was interrupted.'),
    );
  else if (erasedRevision !== undefined)
    facts.findings.push(
      checking.leftover(about, 'holds what was erased since: its deletion was interrupted. Erase again.'),
    );
  else if (!files.has('done') && files.has('attempt')) {
    const object = base + SESSION_FILES.done;
    const message = `${checking.storage.uri(object)} is missing: the attempt was described more than a day ago and not closed. Its process died in between, or the record is lost; the next collection closes it as abandoned.`;
    const finding = checking.found({ layer: layerOf(shown), object }, 'missing', message);
    facts.findings.push({ ...finding, severity: 'notice' });
  }
}

async function lookAtDescription(
  checking: Checking,
  shown: ShownSession,
  done: DoneRecord,
  facts: SessionFacts,
): Promise<void> {
  const { base, erasedRevision, files } = shown;
  const object = base + (erasedRevision === undefined ? SESSION_FILES.metadata : erasedFile(erasedRevision));
  const subject = { ...shown.subject, session: done.session };
  const about = { layer: layerOf(shown), object, severity: 'lost' } as const;
  const read = await checking.record(about, MAX_DESCRIPTION_BYTES, (bytes, what) => {
    if (erasedRevision !== undefined) return readDescription(decodeRecord(bytes, what), what, subject);
    if (digestHex(bytes) === done.metadataDigest) return decodeDescription(bytes, what, subject);
    readDescription(decodeRecord(bytes, what), what, subject); // tells what else is wrong with it
    throw otherDescription(what);
  });
  if (read === 'gone') {
    // Copies of what was given up never had one.
    const why = `${checking.storage.uri(object)} is missing, and no mark says that it was given up: nothing tells what the attempt saved. Restore it from a copy of the store.`;
    tell(facts, checking.found(about, 'missing', why));
    return;
  }
  if ('finding' in read) {
    tell(facts, read.finding);
    return;
  }
  const description = read.value;
  facts.description = description;
  try {
    if (typeof description.table === 'function') {
      const table = description.table();
      if (!files.has('purged')) facts.table = table;
    } else {
      facts.moved = description.table;
      if (!files.has('purged')) facts.table = await loadTable(checking, description.table, facts);
    }
  } catch (error) {
    const fault = problemOf(error);
    tell(facts, checking.found(about, fault.problem, fault.error.message));
  }
}

/** Its content is checked with all others; here it need only be there to tell the rows. */
async function loadTable(
  { content, call }: Checking,
  moved: StoredContent,
  facts: SessionFacts,
): Promise<ArtifactTable> {
  try {
    return decodeTable(await content.reader.load(moved, call), moved.copy);
  } catch (error) {
    const fault = problemOf(error);
    facts.isBroken = true;
    if (fault.error.code === 'CONTENT_NOT_FOUND' || fault.error.code === 'CONTENT_DAMAGED')
      return { artifacts: [] };
    throw error;
  }
}

function tell(facts: SessionFacts, finding: Finding): void {
  facts.findings.push(finding);
  facts.isBroken = true;
}

function otherDescription(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is whole, and not the description that DONE beside it names. Restore both from a copy of the store.`,
    { details: { what, isOther: true } },
  );
}
