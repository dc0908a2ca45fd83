import { digestHex } from '../../digest/blake3.ts';
import { attemptSession } from '../../format/attempt-files.ts';
import type { RecordSubject } from '../../format/record-fields.ts';
import { erasedRevisionOf, SESSION_FILES, standaloneFiles } from '../../format/session-files.ts';
import { SESSION_PATTERN } from '../../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** The files of one session that a listing showed: of a task's attempt, or of content saved outside a task. */
export interface ListedSession {
  /** The beginning of their names. */
  base: string;
  subject: RecordSubject;
  files: ReadonlySet<SessionFile>;
  /** The description after an erasure that counts, if there is one. */
  erasedRevision: number | undefined;
  /** The beginning of the names of its objects of values; `undefined` outside a task. */
  values: string | undefined;
  /** A digest of the names, lengths and times of all its files; only where that was asked for. */
  fingerprint?: string;
}

type SessionFile = keyof typeof SESSION_FILES;

const fileBySuffix = new Map(
  Object.entries(SESSION_FILES).map(([file, suffix]) => [suffix as string, file as SessionFile]),
);
const attemptRegExp = /^flows\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/(0|[1-9]\d{0,15})(\.[^/]+)$/;
const looseRegExp = new RegExp(`^loose/(${SESSION_PATTERN})(\\.[^/]+)$`);

/** Lists all sessions of a store, or those whose names begin with `prefix`: the files of each lie together in the order of names. */
export async function* listSessions(
  storage: DataStoreStorage,
  { details, signal }: CallOptions & { details?: boolean },
  prefixes: readonly string[] = ['flows/', 'loose/'],
): AsyncGenerator<ListedSession, void> {
  for (const prefix of prefixes) {
    let current: (ListedSession & { files: Set<SessionFile> }) | undefined;
    let told = '';
    const ended = (): ListedSession[] => {
      if (!current) return [];
      return [details ? { ...current, fingerprint: digestHex(Buffer.from(told)).slice(0, 32) } : current];
    };
    for await (const page of storage.list({ prefix, details, signal })) {
      for (const { name, bytes, modifiedAtMs } of page.objects) {
        // Most names are another file of the session before, which need not be taken apart.
        const found =
          current && name.startsWith(`${current.base}.`)
            ? { identity: current, suffix: name.slice(current.base.length) }
            : parse(name);
        if (!found) continue;
        const { identity, suffix } = found;
        const revision = erasedRevisionOf(suffix);
        const file = fileBySuffix.get(suffix);
        if (!file && revision === undefined) continue;
        if (current !== identity) {
          yield* ended();
          told = '';
          current = { ...identity, files: new Set(), erasedRevision: undefined };
        }
        if (details) told += `${suffix}\t${bytes}\t${modifiedAtMs}\n`;
        if (file) current.files.add(file);
        if (revision !== undefined) current.erasedRevision = Math.max(revision, current.erasedRevision ?? 0);
      }
    }
    yield* ended();
  }
}

/** One LIST: the files of a session as they are by now. */
export async function listAgain(
  storage: DataStoreStorage,
  { base }: ListedSession,
  options: CallOptions,
): Promise<ListedSession | undefined> {
  for await (const session of listSessions(storage, options, [`${base}.`])) return session;
  return undefined;
}

function parse(
  name: string,
): { identity: Pick<ListedSession, 'base' | 'subject' | 'values'>; suffix: string } | undefined {
  const [, session, looseSuffix] = looseRegExp.exec(name) ?? [];
  if (session !== undefined && looseSuffix !== undefined) {
    return { identity: { ...standaloneFiles(session), values: undefined }, suffix: looseSuffix };
  }
  const [, flow, run, step, task, number, suffix] = attemptRegExp.exec(name) ?? [];
  // A number that JavaScript cannot tell from its neighbours is none that anybody opened.
  if (suffix === undefined || !Number.isSafeInteger(Number(number))) return undefined;
  const path = { flow, run, step, task } as Record<'flow' | 'run' | 'step' | 'task', string>;
  const { base, subject, values } = attemptSession(path, Number(number));
  return { identity: { base, subject, values }, suffix };
}
