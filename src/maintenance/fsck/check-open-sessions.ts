import { decodeBeatWaits, decodePins, MAX_BEAT_BYTES, sessionOfPins } from '../../format/open-session.ts';
import { isSessionId } from '../../format/session-id.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import { Cursor } from '../collection/sorted-lines.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';

/** So many records are read at once. */
const AHEAD = 15;
/** A session pins 20,000 contents at a time. */
const MAX_PINS_BYTES = 64 * 1024 * 1024;
const BEATS = 'beats/';

/** Layer `sessions`: pins and beats, which belong to sessions that are known. */
export async function* checkOpenSessions(checking: Checking): AsyncGenerator<Finding, void> {
  yield* checkEach(checking, 'pins/', sessionOfPins, (object, session) =>
    checking.record({ layer: 'sessions', object }, MAX_PINS_BYTES, (bytes, what) =>
      decodePins(bytes, what, session),
    ),
  );
  yield* checkEach(checking, BEATS, sessionOfBeat, (object, session) => {
    const about = { layer: 'sessions', object, remedy: 'delete' } as const;
    return checking.record(about, MAX_BEAT_BYTES, (bytes, what) => decodeBeatWaits(bytes, what, session));
  });
}

async function* checkEach(
  checking: Checking,
  prefix: string,
  sessionOf: (name: string) => string | undefined,
  read: (name: string, session: string) => ReturnType<Checking['record']>,
): AsyncGenerator<Finding, void> {
  const sessions = new Cursor(checking.sessions.sorted());
  const check = async (object: ShownObject): Promise<Finding | undefined> => {
    const session = sessionOf(object.name);
    if (session === undefined) return checking.foreign('sessions', object.name);
    const isKnown = sessions.has(session);
    if (!checking.isRecent(object)) return undefined;
    const examined = await read(object.name, session);
    if (examined === 'gone') return undefined;
    if ('finding' in examined) return examined.finding;
    if (isKnown || checking.isIncomplete || !checking.isSettled(object)) return undefined;
    const about = { layer: 'sessions', object: object.name, remedy: 'delete' } as const;
    return checking.leftover(about, 'belongs to a session of which there is no record.');
  };
  try {
    for await (const { result } of readAhead(checking.list(prefix), check, checking.call, AHEAD))
      if (result) yield result;
  } finally {
    sessions.close();
  }
}

function sessionOfBeat(name: string): string | undefined {
  const session = name.slice(BEATS.length);
  return isSessionId(session) ? session : undefined;
}
