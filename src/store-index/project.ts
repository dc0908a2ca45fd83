import { readAttempt } from '../attempts/attempt-reader.ts';
import { listRuns } from '../attempts/run-listing.ts';
import { isStowageError } from '../errors.ts';
import { listAttempts, type TaskAttempts, valuesBase } from '../format/attempt-files.ts';
import { decodeEntry, MAX_ENTRY_BYTES } from '../format/cache-entry.ts';
import { entryName } from '../format/cache-names.ts';
import { HERE } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { type PublishedId, readPublishedRecord, withdrawnMarkName } from '../format/published-names.ts';
import { createdName } from '../format/run-records.ts';
import type { RecordedError } from '../format/session-files.ts';
import { readVersion } from '../published/read-version.ts';
import { durationBetween } from '../views/attempts.ts';
import { readRun } from '../views/runs.ts';
import { type StoreView, unreadable } from '../views/store-view.ts';
import { type IndexRow, textOf } from './index-database.ts';
import { leavesOf } from './metadata-leaves.ts';
import { isOfSubject, readsOf, seenOfAttempt, seenOfPublished, seenOfRun, timeOf } from './row-values.ts';
import type { TableName } from './schema.ts';
import type { AttemptSubject, EntrySubject, PublishedSubject, RunSubject, Subject } from './subjects.ts';

/** Rows of tables, but for the id of the attempt that they belong to. */
export type RowsByTable = Readonly<Partial<Record<TableName, readonly IndexRow[]>>>;

/** A subject as the store tells it now. */
export interface Projected {
  readonly subject: Subject;
  /** Its own row; absent of what is gone. */
  readonly row?: IndexRow;
  /** Rows of other tables that belong to it. */
  readonly beside: RowsByTable;
}

/**
 * Reads a subject anew, and gives its rows. What cannot be read has a row as well, of the status `damaged` or `unreadable`, with the reason
 * in `failure`, and is told to the view.
 */
export async function project(view: StoreView, subject: Subject): Promise<Projected> {
  switch (subject.kind) {
    case 'run':
      return projectRun(view, subject);
    case 'attempt':
      return projectAttempt(view, subject);
    case 'entry':
      return projectEntry(view, subject);
    case 'published':
      return projectPublished(view, subject);
  }
}

async function projectRun(view: StoreView, subject: RunSubject): Promise<Projected> {
  const { flow, run } = subject;
  const listed =
    subject.listed ??
    (await listRuns(view.storage, flow, view, `${run}/`)).find(
      (each) => each.run === run && each.flow === flow,
    );
  if (!listed) return { subject, beside: {} };
  const { status, createdAt, finishedAt, durationMs, owner, tags, parameters, parents, ...told } =
    await readRun(view, listed);
  const { rawDataPath, code, error, pinned, resumes, failure } = told;
  const row: IndexRow = {
    flow,
    run,
    status,
    created_at: timeOf(createdAt) ?? listed.createdAtMs,
    finished_at: timeOf(finishedAt),
    duration_ms: durationMs,
    host: owner?.host,
    pid: owner?.pid,
    ...errorColumns(error),
    parameters: JSON.stringify(parameters),
    raw_data_path: rawDataPath,
    code: code?.name,
    code_digest: code?.digest,
    pinned_at: timeOf(pinned?.at),
    pin_reason: pinned?.reason,
    resumes: resumes,
    failure: failure?.message,
    seen: failure ? '' : seenOfRun(listed),
  };
  const tagRows = [...new Set(tags.map(textOf))].map((tag) => ({ flow, run, tag }));
  const parentRows = [...new Set(parents.map(textOf))].map((parent) => ({ flow, run, parent }));
  return { subject, row, beside: { run_tags: tagRows, run_parents: parentRows } };
}

async function projectAttempt(view: StoreView, subject: AttemptSubject): Promise<Projected> {
  const { path, attempt } = subject;
  const { storage, content, signal } = view;
  const listed = subject.files ?? (await listAttempts(storage, path, { signal, attempt })).get(attempt);
  if (!listed) return { subject, beside: {} };
  // Behind a run that was removed its tombstones stay, and what is still written to it. The run of tasks that were listed was there.
  const isOfRun = subject.files || (await storage.head(createdName(path.flow, path.run), { signal }));
  if (!isOfRun) return { subject, beside: {} };
  const row = { ...path, attempt, seen: seenOfAttempt(listed) };
  if (listed.has('deleted')) return deleted(subject, row);
  try {
    const attempts = new Map([[attempt, listed]]) as unknown as TaskAttempts;
    const rule = { attempt, allowNotDone: true };
    const read = await readAttempt(storage, content.reader, path, attempts, rule, { signal });
    const { status, startedAt, closedAt, label, opened, done, described, metadata, purged, erased } = read;
    const artifacts = described?.table().artifacts ?? [];
    return {
      subject,
      row: {
        ...row,
        status,
        started_at: timeOf(startedAt),
        ended_at: timeOf(closedAt),
        duration_ms: durationBetween(startedAt, closedAt),
        label: label,
        host: opened?.owner.host,
        pid: opened?.owner.pid,
        ...errorColumns(done?.error),
        mark: purged ? 'purged' : erased ? 'erased' : undefined,
        session: done?.session ?? opened?.session,
        metadata_digest: done?.metadataDigest,
        cache_key: described?.cached?.key,
      },
      beside: {
        artifacts: artifacts.map((entry) => artifactRow(path, attempt, entry)),
        metadata: leavesOf(metadata),
        reads: readsOf(described?.readFrom ?? []),
        refs: refRows(artifacts),
        reports: (described?.reports ?? []).map(({ name, title, content: { key, bytes, place, copy } }) => ({
          name,
          title: title,
          key,
          bytes,
          place: place ?? HERE,
          object: copy,
        })),
      },
    };
  } catch (error) {
    if (isStowageError(error, 'ATTEMPT_DELETED')) return deleted(subject, { ...row, seen: '' });
    if (!isOfSubject(error)) throw error;
    const { status, failure } = unreadable(view, error);
    return { subject, row: { ...row, seen: '', status, failure: failure.message }, beside: {} };
  }
}

function deleted(subject: AttemptSubject, row: IndexRow): Projected {
  return { subject, row: { ...row, status: 'deleted', mark: 'deleted' }, beside: {} };
}

async function projectEntry(view: StoreView, subject: EntrySubject): Promise<Projected> {
  const { key } = subject;
  const name = entryName(key);
  try {
    const object = await view.storage.get(name, { signal: view.signal, maxBytes: MAX_ENTRY_BYTES });
    if (!object) return { subject, beside: {} };
    const seen = subject.seen ?? `${object.modifiedAtMs}.${object.bytes}`;
    const entry = decodeEntry(object.body, key, view.storage.uri(name));
    const { task, scope, version, source, createdAt, expiresAt, durationMs, table, signedBy } = entry;
    const row: IndexRow = {
      key,
      task: task,
      scope: scope,
      version: version,
      flow: source.flow,
      run: source.run,
      step: source.step,
      task_id: source.task,
      attempt: source.attempt,
      session: source.session,
      created_at: timeOf(createdAt),
      expires_at: timeOf(expiresAt),
      duration_ms: durationMs,
      bytes: table.artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0),
      signed_by: signedBy,
      seen,
    };
    return { subject, row, beside: {} };
  } catch (error) {
    if (!isOfSubject(error)) throw error;
    const { failure } = unreadable(view, error);
    return { subject, row: { key, failure: failure.message, seen: '' }, beside: {} };
  }
}

async function projectPublished(view: StoreView, subject: PublishedSubject): Promise<Projected> {
  const { storage, signal } = view;
  const { name, version } = subject;
  const id = { name, version };
  try {
    // First: a copy of a withdrawn version points at a session that it never had.
    const withdrawn =
      subject.withdrawn ?? (await storage.head(withdrawnMarkName(id), { signal })) !== undefined;
    const row = withdrawn ? await withdrawnRow(view, id) : await keptRow(view, id);
    return { subject, ...(row ? { row } : {}), beside: {} };
  } catch (error) {
    if (!isOfSubject(error)) throw error;
    const { status, failure } = unreadable(view, error);
    return { subject, row: { ...id, status, failure: failure.message, seen: '' }, beside: {} };
  }
}

/** What a withdrawn version keeps nobody asks for: its session may be gone, or about to go. */
async function withdrawnRow({ storage, signal }: StoreView, id: PublishedId): Promise<IndexRow> {
  const record = await readPublishedRecord(storage, id, { signal });
  return {
    ...id,
    status: 'withdrawn',
    published_at: timeOf(record?.publishedAt),
    session: record?.session,
    seen: seenOfPublished({ recorded: record !== undefined, withdrawn: true }),
  };
}

/** The row of a version without a mark; `undefined` where there is none. */
async function keptRow({ content, signal }: StoreView, id: PublishedId): Promise<IndexRow | undefined> {
  const found = await readVersion(content, id, { signal });
  if (!found) return undefined;
  if (found.state === 'released') {
    const { publishedAt, session } = found.record;
    return { ...id, status: 'withdrawn', published_at: timeOf(publishedAt), session, seen: '' };
  }
  const { publishedAt, session, artifact, source, description, attributes, table, erased } = found.version;
  const entry = table.artifacts.find((each) => each.name === artifact);
  return {
    ...id,
    status: erased?.artifacts.includes(artifact) ? 'erased' : 'published',
    published_at: timeOf(publishedAt),
    description: description,
    attributes: JSON.stringify(attributes),
    ...source.path,
    attempt: source.attempt,
    artifact,
    type: entry?.type,
    encoding: entry?.encoding,
    key: entry?.key,
    bytes: entry?.bytes,
    session,
    seen: seenOfPublished({ recorded: true, withdrawn: false }),
  };
}

function artifactRow(path: TaskPath, attempt: number, entry: ArtifactEntry): IndexRow {
  const { name, type, encoding, key, bytes, content, own } = entry;
  const row = { name, type: type, encoding: encoding, key, bytes };
  if (content) {
    const { storedBytes, place = HERE, copy } = content;
    return { ...row, stored_bytes: storedBytes, place, lies: 'shared', object: copy };
  }
  if (own) {
    const { storedBytes, place = HERE, object } = own;
    return {
      ...row,
      stored_bytes: storedBytes,
      place,
      lies: 'own',
      object: valuesBase(path, attempt) + object,
    };
  }
  return { ...row, stored_bytes: 0, place: HERE, lies: 'inline' };
}

function refRows(artifacts: readonly ArtifactEntry[]): IndexRow[] {
  const rows = new Map<string, IndexRow>();
  for (const { name: artifact, refs = [] } of artifacts) {
    for (const { place, kind, name } of refs)
      rows.set(`${artifact}\n${place}\n${kind}\n${name}`, { artifact, place: place, kind, name });
  }
  return [...rows.values()];
}

function errorColumns(error: RecordedError | undefined): IndexRow {
  return { error_name: error?.name, error: error?.message };
}
