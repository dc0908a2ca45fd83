import { decodeHint, MAX_HINT_BYTES } from '../../format/hint.ts';
import { isUserName } from '../../storage/names.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';

/** So many records are read at once. */
const AHEAD = 15;

/** Layer `hints`: records that anybody may delete, and that are not read where they are damaged. */
export async function* checkHints(checking: Checking): AsyncGenerator<Finding, void> {
  const check = async (listed: ShownObject): Promise<Finding | undefined> => {
    const { name: object } = listed;
    const [, flow = '', step] = /^hints\/([^/]+)\/([^/]+)\.json$/.exec(object) ?? [];
    if (step === undefined || !isUserName(flow) || !isUserName(step))
      return checking.foreign('hints', object);
    if (!checking.isRecent(listed)) return undefined;
    const about = { layer: 'hints', object, remedy: 'delete' } as const;
    const read = await checking.record(about, MAX_HINT_BYTES, (bytes, what) =>
      decodeHint(bytes, what, { flow, step }),
    );
    return read !== 'gone' && 'finding' in read ? read.finding : undefined;
  };
  for await (const { result } of readAhead(checking.list('hints/'), check, checking.call, AHEAD))
    if (result) yield result;
}
