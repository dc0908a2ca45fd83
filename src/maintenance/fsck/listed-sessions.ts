import { attemptSession } from '../../format/attempt-files.ts';
import { erasedRevisionOf, SESSION_FILES, standaloneFiles } from '../../format/session-files.ts';
import { SESSION_PATTERN } from '../../format/session-id.ts';
import { isUserName } from '../../storage/names.ts';
import type { ListedSession } from '../collection/session-listing.ts';
import type { ShownObject } from './checking.ts';

type SessionFile = keyof typeof SESSION_FILES;

/** The files of one session as a listing with details shows them. */
export interface ShownSession extends ListedSession {
  files: ReadonlySet<SessionFile>;
  /** The objects themselves, by their suffixes. */
  objects: ReadonlyMap<string, ShownObject>;
  /** When the latest of them was written, by the storage's clock. */
  modifiedAtMs: number;
}

const fileBySuffix = new Map(
  Object.entries(SESSION_FILES).map(([file, suffix]) => [suffix as string, file as SessionFile]),
);
const attemptRegExp = /^flows\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/(0|[1-9]\d{0,15})(\.[^/]+)$/;
const looseRegExp = new RegExp(`^loose/(${SESSION_PATTERN})(\\.[^/]+)$`);

type Identity = Pick<ListedSession, 'base' | 'subject' | 'values'>;
type Building = ShownSession & { files: Set<SessionFile>; objects: Map<string, ShownObject> };

/**
 * Groups the objects of `flows/` or `loose/` by the sessions whose files they are; the files of each lie together in the order of names.
 *
 * @param onForeign told of what is no file of a session
 */
export async function* groupSessions(
  objects: AsyncIterable<ShownObject>,
  onForeign: (name: string) => void = () => {},
): AsyncGenerator<ShownSession, void> {
  let current: Building | undefined;
  for await (const object of objects) {
    const found = parse(object.name);
    const revision = found && erasedRevisionOf(found.suffix);
    const file = found && fileBySuffix.get(found.suffix);
    if (!found || (file === undefined && revision === undefined)) {
      onForeign(object.name);
      continue;
    }
    if (current?.base !== found.identity.base) {
      if (current) yield current;
      current = begun(found.identity);
    }
    current.objects.set(found.suffix, object);
    current.modifiedAtMs = Math.max(current.modifiedAtMs, object.modifiedAtMs);
    if (file) current.files.add(file);
    if (revision !== undefined) current.erasedRevision = Math.max(revision, current.erasedRevision ?? 0);
  }
  if (current) yield current;
}

function begun(identity: Identity): Building {
  return { ...identity, files: new Set(), objects: new Map(), erasedRevision: undefined, modifiedAtMs: 0 };
}

function parse(name: string): { identity: Identity; suffix: string } | undefined {
  const [, session, looseSuffix] = looseRegExp.exec(name) ?? [];
  if (session !== undefined && looseSuffix !== undefined)
    return { identity: { ...standaloneFiles(session), values: undefined }, suffix: looseSuffix };
  const [, flow, run, step, task, number, suffix] = attemptRegExp.exec(name) ?? [];
  // A number that JavaScript cannot tell from its neighbours is none that anybody opened.
  if (suffix === undefined || !Number.isSafeInteger(Number(number))) return undefined;
  const path = { flow, run, step, task } as Record<'flow' | 'run' | 'step' | 'task', string>;
  if (!Object.values(path).every(isUserName)) return undefined;
  const { base, subject, values } = attemptSession(path, Number(number));
  return { identity: { base, subject, values }, suffix };
}
