import {
  decodeErasedContent,
  decodeErasureRound,
  ERASURES_FOLDER,
  type ErasureRound,
  MAX_ERASURE_BYTES,
  parseErasedContentName,
  parseErasureRoundName,
} from '../../format/erasure-records.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';

/** So many records are read at once. */
const AHEAD = 15;

/** Layer `erasures`: what was erased, why, and how far each erasure is. One that was begun and never completed is a notice. */
export async function* checkErasures(checking: Checking): AsyncGenerator<Finding, void> {
  let latest: { listed: ShownObject; state: ErasureRound['state'] } | undefined;
  for await (const { result } of readAhead(
    checking.list(ERASURES_FOLDER),
    (listed) => checkErasure(checking, listed),
    checking.call,
    AHEAD,
  )) {
    const { finding, listed, round } = result;
    if (finding) yield finding;
    if (!round) continue;
    if (latest && !isOfSame(latest.listed, listed)) yield* unfinished(checking, latest);
    // One that was complete once stays so.
    const wasComplete =
      latest !== undefined && isOfSame(latest.listed, listed) && latest.state === 'complete';
    latest = { listed, state: wasComplete ? 'complete' : round.state };
  }
  if (latest) yield* unfinished(checking, latest);
}

async function checkErasure(
  checking: Checking,
  listed: ShownObject,
): Promise<{ listed: ShownObject; finding?: Finding; round?: ErasureRound }> {
  const { name: object } = listed;
  const about = { layer: 'erasures', object, severity: 'damaged', remedy: 'restore' } as const;
  const content = parseErasedContentName(object);
  const round = parseErasureRoundName(object);
  if (!content && !round) return { listed, finding: checking.foreign('erasures', object) };
  if (!checking.isRecent(listed) && !round) return { listed };
  const read = await checking.record(about, MAX_ERASURE_BYTES, (bytes, what) =>
    round
      ? decodeErasureRound(bytes, what, round)
      : decodeErasedContent(bytes, what, content as NonNullable<typeof content>),
  );
  if (read === 'gone') return { listed };
  if ('finding' in read) return { listed, finding: read.finding };
  return 'state' in read.value ? { listed, round: read.value } : { listed };
}

function isOfSame(a: ShownObject, b: ShownObject): boolean {
  return parseErasureRoundName(a.name)?.erasure === parseErasureRoundName(b.name)?.erasure;
}

function* unfinished(
  checking: Checking,
  { listed, state }: { listed: ShownObject; state: ErasureRound['state'] },
): Generator<Finding, void> {
  if (state === 'complete' || !checking.isSettled(listed)) return;
  const about = { layer: 'erasures', object: listed.name, severity: 'notice', remedy: 'leave' } as const;
  const message = `The erasure ${parseErasureRoundName(listed.name)?.erasure} is not complete, and nobody goes on with it. To do so: stowage erase --continue --yes`;
  yield checking.found(about, 'leftover', message);
}
