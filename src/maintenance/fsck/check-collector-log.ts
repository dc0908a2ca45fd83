import {
  COLLECTION_LISTS,
  collectionVersionName,
  collectionVersionOf,
  decodeCollectionList,
  decodeCollectionVersion,
  isCollectionList,
  MAX_COLLECTION_BYTES,
} from '../../format/collection-records.ts';
import { SortedLines } from '../collection/sorted-lines.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';

const FOLDER = 'gc/';

interface NamedList {
  name: string;
  digest: string;
  version: number;
}

/**
 * Layer `log`: all versions of the collector's log, which have no gaps, and the lists of those that count: the newest, and the one before a
 * proposal.
 */
export async function* checkCollectorLog(checking: Checking): AsyncGenerator<Finding, void> {
  const named: NamedList[] = [];
  const lists = new SortedLines(checking.folder);
  let [newest, last] = [0, 0];
  let counts = true;
  for await (const object of checking.list(FOLDER)) {
    const version = collectionVersionOf(object.name);
    if (version === undefined) {
      if (!isCollectionList(object.name)) yield strange(checking, object);
      // A collector writes its lists before the version that names them.
      else if (checking.isSettled(object)) lists.add(object.name);
      continue;
    }
    newest ||= version;
    if (last > version + 1) yield* gap(checking, version + 1, last - 1);
    last = version;
    const about = { layer: 'log', object: object.name } as const;
    const read = await checking.record(about, MAX_COLLECTION_BYTES, (bytes, what) =>
      decodeCollectionVersion(bytes, what, version),
    );
    if (read === 'gone') yield* gap(checking, version, version);
    else if ('finding' in read) yield read.finding;
    else if (counts) {
      named.push(...read.value.lists.map((list) => ({ ...list, version })));
      counts = read.value.state === 'proposed';
    }
  }
  if (last > 1) yield* gap(checking, 1, last - 1);
  for (const list of named) yield* checkList(checking, list, newest);
  yield* unnamed(checking, lists, new Set(named.map(({ name }) => name)), newest);
}

/** A version is never removed. */
function* gap(checking: Checking, from: number, to: number): Generator<Finding, void> {
  const name = collectionVersionName(from);
  const which = from === to ? `version ${from}` : `versions ${from} to ${to}`;
  const message = `${checking.storage.uri(name)} is missing: the collector's log lacks ${which}, and versions are never removed. Restore the log from a copy of the store; until then do not collect.`;
  yield checking.found({ layer: 'log', object: name }, 'missing', message);
}

async function* checkList(
  checking: Checking,
  { name, digest, version }: NamedList,
  newest: number,
): AsyncGenerator<Finding, void> {
  const about = { layer: 'log', object: name } as const;
  const read = await checking.record(about, MAX_COLLECTION_BYTES, (bytes, what) =>
    decodeCollectionList(bytes, what, digest),
  );
  if (read !== 'gone' && !('finding' in read)) return;
  // A list goes once a version behind it is there.
  const isOver = await checking.storage.head(collectionVersionName(newest + 1), checking.call);
  if (isOver) return;
  if (read !== 'gone') yield read.finding;
  else {
    const message = `${checking.storage.uri(name)} is missing, and version ${version} of the collector's log names it. Writers cannot tell what is condemned. Restore it from a copy of the store.`;
    yield checking.found(about, 'missing', message);
  }
}

async function* unnamed(
  checking: Checking,
  lists: SortedLines,
  named: ReadonlySet<string>,
  newest: number,
): AsyncGenerator<Finding, void> {
  if (lists.isEmpty || (await checking.storage.head(collectionVersionName(newest + 1), checking.call)))
    return;
  for (const object of lists.sorted()) {
    if (named.has(object)) continue;
    const why = 'is a list of the collector that no version names any more. The next collection deletes it.';
    yield checking.leftover({ layer: 'log', object, remedy: 'collect' }, why);
  }
}

function strange(checking: Checking, { name }: ShownObject): Finding {
  const isList = name.startsWith(COLLECTION_LISTS);
  const message = `${checking.storage.uri(name)} has a name that no collector gives${isList ? '' : ', and where it comes first, writers stop at it'}. Move it away.`;
  const finding = checking.found({ layer: 'log', object: name }, 'foreign', message);
  return { ...finding, severity: isList ? 'notice' : 'damaged' };
}
