import type { ContentRef } from '../../format/content-ref.ts';
import { HERE } from '../../format/content-ref.ts';
import type { ArtifactEntry } from '../../format/description.ts';
import { createdName } from '../../format/run-records.ts';
import { SESSION_FILES, standaloneFiles } from '../../format/session-files.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import { type AttemptState, attemptLine } from '../collection/partial-marks.ts';
import { Cursor } from '../collection/sorted-lines.ts';
import { createdMissing } from './check-runs.ts';
import { checkOwnObjects } from './check-values.ts';
import type { Checking } from './checking.ts';
import type { Finding } from './finding.ts';
import { groupSessions, type ShownSession } from './listed-sessions.ts';
import { lookAtSession, type SessionFacts } from './look-at-session.ts';

/** So many sessions are read at once. */
const AHEAD = 15;

/** Layer `attempts`: the records of attempts, what they want, and their values. */
export async function* checkAttempts(checking: Checking): AsyncGenerator<Finding, void> {
  const runs = new Cursor(checking.runs.sorted());
  let last = '';
  try {
    for await (const [shown, findings] of checkEach(checking, checking.prefixOf('flows/'))) {
      yield* findings;
      checking.reading.passed('attempts', HERE, shown.base);
      const [, flow = '', run = ''] = shown.base.split('/');
      if (`${flow}/${run}/` === last) continue;
      const isToldOf = runs.has(`${flow}/${run}/`) || shown.files.has('deleted') || !shown.files.has('done');
      if (isToldOf) continue;
      last = `${flow}/${run}/`;
      const object = createdName(flow, run);
      if (!(await checking.storage.head(object, checking.call))) yield createdMissing(checking, object);
    }
  } finally {
    runs.close();
  }
}

/** Layer `loose`: the records of content saved outside tasks, and the code of runs. */
export async function* checkLoose(checking: Checking): AsyncGenerator<Finding, void> {
  const code = new CodeSessions(checking);
  try {
    if (checking.isPart) {
      yield* code.checkAlone();
      return;
    }
    for await (const [shown, findings] of checkEach(checking, 'loose/')) {
      yield* await code.missingBefore(shown.base);
      yield* findings;
    }
    yield* await code.missingBefore(undefined);
  } finally {
    code.close();
  }
}

async function* checkEach(
  checking: Checking,
  prefix: string,
): AsyncGenerator<[ShownSession, Finding[]], void> {
  const strangers: Finding[] = [];
  const layer = prefix.startsWith('loose/') ? 'loose' : 'attempts';
  const sessions = groupSessions(checking.list(prefix), (name) =>
    strangers.push(checking.foreign(layer, name)),
  );
  const check = (shown: ShownSession): Promise<[ShownSession, Finding[]]> => checkSession(checking, shown);
  for await (const { result } of readAhead(sessions, check, checking.call, AHEAD)) {
    const [shown, findings] = result;
    yield [shown, [...strangers.splice(0), ...findings]];
  }
  const [first] = strangers;
  if (first) yield [NO_SESSION, strangers];
}

/** Stands for names behind the last session. */
const NO_SESSION: ShownSession = {
  base: '',
  subject: {},
  values: undefined,
  files: new Set(),
  objects: new Map(),
  erasedRevision: undefined,
  modifiedAtMs: 0,
};

/** Looks at a session, and again before anything is told: retention, an erasure or its owner may have been at work. */
async function checkSession(checking: Checking, listed: ShownSession): Promise<[ShownSession, Finding[]]> {
  let shown = listed;
  let facts = await lookAtSession(checking, shown);
  let findings = [...facts.findings, ...(await checkOwnObjects(checking, shown, facts))];
  if (findings.length > 0) {
    const now = await lookAgain(checking, shown);
    if (!now) return [shown, []];
    shown = now;
    facts = await lookAtSession(checking, shown);
    findings = [...facts.findings, ...(await checkOwnObjects(checking, shown, facts))];
  }
  learn(checking, shown, facts);
  return [shown, checking.isRecent(shown) ? findings : []];
}

/** One LIST: the files of a session by now. */
export async function lookAgain(
  checking: Checking,
  { base }: Pick<ShownSession, 'base'>,
): Promise<ShownSession | undefined> {
  for await (const session of groupSessions(checking.list(`${base}.`))) return session;
  return undefined;
}

/** Notes what later steps go by. */
function learn(checking: Checking, shown: ShownSession, facts: SessionFacts): void {
  const { base, files, values } = shown;
  const { attempt, done, description, table, moved, isBroken } = facts;
  for (const session of [attempt?.session, done?.session])
    if (session !== undefined) checking.sessions.add(session);
  if (values !== undefined) {
    const state: AttemptState = done?.outcome ?? 'open';
    checking.attempts.add(attemptLine(shown, isBroken && !done ? 'given up' : state));
    checking.valuesKnown.add(values);
    if (!done || isBroken) checking.valuesUnknown.add(values);
    if (done?.metadataDigest !== undefined && !files.has('deleted'))
      checking.results.add(`${base}\t${done.session}\t${done.metadataDigest}`);
  }
  const isPublished = values === undefined && done?.outcome === 'done' && description?.metadata.published;
  if (isPublished && !files.has('deleted') && checking.isSettled(shown))
    checking.publishedSessions.add(done.session);
  const kept = description && !files.has('purged') ? description : undefined;
  for (const { object, place = HERE } of kept?.values ?? [])
    checking.valuesKept.add(`${place}\t${values}${object}`);
  if (!checking.isRecent(shown)) return;
  if (moved) checking.wanted.content(moved, { owner: base, kind: 'table', name: '', copy: moved.copy });
  for (const row of table?.artifacts ?? []) wantRow(checking, base, row);
  for (const { name, content } of kept?.reports ?? [])
    checking.wanted.content(content, { owner: base, kind: 'report', name, copy: content.copy });
}

function wantRow(checking: Checking, owner: string, { name, content, refs }: ArtifactEntry): void {
  if (content) checking.wanted.content(content, { owner, kind: 'artifact', name, copy: content.copy });
  for (const ref of refs ?? []) wantRef(checking, owner, name, ref);
}

/** What a value refers to from inside. */
export function wantRef(checking: Checking, owner: string, name: string, ref: ContentRef): void {
  checking.wanted.ref(ref, { owner, kind: 'reference', name });
}

/** Goes along with the loose sessions and finds those that runs name as their code and that are not there. */
class CodeSessions {
  readonly #checking: Checking;
  readonly #lines: Generator<string, void>;
  #next: IteratorResult<string, void>;

  constructor(checking: Checking) {
    this.#checking = checking;
    this.#lines = checking.codeSessions.sorted();
    this.#next = this.#lines.next();
  }

  close(): void {
    this.#lines.return();
  }

  /** Those before a session that is there; all that are left, without one. */
  async missingBefore(base: string | undefined): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (let line = this.#taken(base); line !== undefined; line = this.#taken(base)) {
      const [session = '', flow = '', run = ''] = line.split('\t');
      const own = standaloneFiles(session).base;
      if (own === base || (await lookAgain(this.#checking, { base: own }))) continue;
      findings.push(codeMissing(this.#checking, own + SESSION_FILES.done, { flow, run }));
    }
    return findings;
  }

  /** Checks the sessions themselves, where only some runs are checked. */
  async *checkAlone(): AsyncGenerator<Finding, void> {
    for (let line = this.#taken(undefined); line !== undefined; line = this.#taken(undefined)) {
      const [session = '', flow = '', run = ''] = line.split('\t');
      const { base } = standaloneFiles(session);
      const shown = await lookAgain(this.#checking, { base });
      if (shown) yield* (await checkSession(this.#checking, shown))[1];
      else yield codeMissing(this.#checking, base + SESSION_FILES.done, { flow, run });
    }
  }

  /** The next line of a session up to `base`. */
  #taken(base: string | undefined): string | undefined {
    if (this.#next.done) return undefined;
    const line = this.#next.value;
    const [session = ''] = line.split('\t');
    if (base !== undefined && standaloneFiles(session).base > base) return undefined;
    this.#next = this.#lines.next();
    return line;
  }
}

function codeMissing(
  checking: Checking,
  object: string,
  { flow, run }: { flow: string; run: string },
): Finding {
  const message = `${checking.storage.uri(object)} is missing, with the other records of the session that keeps the code of the run ${flow}/${run}. Restore them from a copy of the store.`;
  const concerns = [{ flow, run, kind: 'code' }] as const;
  return checking.found({ layer: 'loose', object, severity: 'lost', concerns }, 'missing', message);
}
