import { mapAhead } from '../../async/ahead.ts';
import { LinkedAbort } from '../../async/linked-abort.ts';
import type { PlaceOfContent } from '../../content/reading/presence.ts';
import { type CopyFolder, damagedMarkOf, isPackName, isPlainName } from '../../format/content-names.ts';
import { placeRecordName } from '../../format/place-records.ts';
import { checkKey } from './check-key.ts';
import type { Checking } from './checking.ts';
import { MAX_CONCERNS } from './faults.ts';
import type { Concern, Finding } from './finding.ts';
import { Ahead, type KeyToCheck, keysAt, listKey, strangerAmong } from './listed-copies.ts';
import { isStillWanted } from './still-wanted.ts';
import { concernOf, type WantedName } from './wanted.ts';

/** So many contents are read at once, and so many bytes of them. */
const CONTENTS_AHEAD = 32;
const BYTES_AHEAD = 64 * 1024 * 1024;
/** A content in chunks is read some windows ahead. */
const CHUNKED_BYTES = 16 * 1024 * 1024;

/** Layer `content`: each content against its key, and what records want against what is there, place by place. */
export async function* checkContent(checking: Checking): AsyncGenerator<Finding, void> {
  const contents = checking.wanted.contents();
  const objects = checking.wanted.objects();
  const [wants, named] = [new Ahead(contents), new Ahead(objects)];
  try {
    for (const place of [...checking.places.keys()].sort()) {
      yield* placesBefore(checking, place, wants, named);
      const strangers: Finding[] = [];
      const keys = checking.isPart
        ? wantedKeys(checking, place, wants)
        : keysAt(checking, place, ofPlace(wants, place), strangers);
      yield* checkKeys(checking, keys, strangers);
      if (checking.isPart) yield* checkNamed(checking, place, named);
      else yield* checkObjects(checking, place, named);
    }
    yield* placesBefore(checking, undefined, wants, named);
  } finally {
    await wants.close();
    await named.close();
  }
}

async function* checkKeys(
  checking: Checking,
  keys: AsyncIterable<KeyToCheck>,
  strangers: Finding[],
): AsyncGenerator<Finding, void> {
  const call = new LinkedAbort(checking.call.signal);
  const bounds = { limit: CONTENTS_AHEAD, maxWeight: BYTES_AHEAD, weightOf, call };
  const check = async (item: KeyToCheck): Promise<[KeyToCheck, Finding[]]> => [
    item,
    await checkKey(checking, item),
  ];
  try {
    for await (const [{ place, key }, findings] of mapAhead(keys, bounds, check)) {
      yield* strangers.splice(0);
      yield* findings;
      checking.reading.passed('content', place, key);
    }
    yield* strangers;
  } finally {
    call.release();
  }
}

function weightOf({ copies }: KeyToCheck): number {
  return copies.reduce((sum, { folder, bytes }) => sum + weightIn(folder, bytes), 0);
}

function weightIn(folder: CopyFolder, bytes: number): number {
  return folder === 'data' ? 4 * bytes : CHUNKED_BYTES;
}

/** The wants of one place, which are taken from those of all. */
async function* ofPlace(wants: Ahead<WantedName>, place: string): AsyncGenerator<WantedName, void> {
  while ((await wants.head())?.place === place) yield (await wants.take()) as WantedName;
}

async function* wantedKeys(
  checking: Checking,
  place: string,
  wants: Ahead<WantedName>,
): AsyncGenerator<KeyToCheck, void> {
  for await (const wanted of ofPlace(wants, place))
    yield { place, key: wanted.name, wanted, copies: await listKey(checking, place, wanted.name) };
}

/** What is wanted at places that could not be opened: one finding for each. */
async function* placesBefore(
  checking: Checking,
  place: string | undefined,
  ...all: readonly Ahead<WantedName>[]
): AsyncGenerator<Finding, void> {
  const at = new Map<string, { concerns: Concern[]; concerned: number }>();
  for (const wants of all) {
    for (let head = await wants.head(); head && (place === undefined || head.place < place); ) {
      const told = at.get(head.place) ?? { concerns: [], concerned: 0 };
      at.set(head.place, told);
      told.concerned += head.total;
      if (told.concerns.length < MAX_CONCERNS) told.concerns.push(...head.wants.map(concernOf));
      await wants.take();
      head = await wants.head();
    }
  }
  for (const [id, { concerns, concerned }] of at) {
    const object = placeRecordName(id);
    const isThere = await checking.storage.head(object, checking.call);
    const about = { layer: 'places', object, severity: 'lost', concerns, concerned } as const;
    const uri = checking.storage.uri(object);
    yield isThere
      ? checking.found(
          about,
          'unreadable',
          `The place that ${uri} registers could not be opened, so that nothing of what lies there was checked.`,
        )
      : checking.found(
          about,
          'missing',
          `${uri} is missing, and records say that content lies at that place. Restore it from a copy of the store.`,
        );
  }
}

/** Packs and plain objects of a place: what records name, marks without an object, and foreign names. */
async function* checkObjects(
  checking: Checking,
  place: string,
  wants: Ahead<WantedName>,
): AsyncGenerator<Finding, void> {
  const { storage } = checking.places.get(place) as PlaceOfContent;
  for (const [prefix, isObject] of [
    ['packs/', isPackName],
    ['plain/', isPlainName],
  ] as const) {
    let last: string | undefined;
    for await (const object of checking.list(prefix, storage)) {
      const { name } = object;
      if (last !== undefined && damagedMarkOf(last) === name) continue;
      if (!isObject(name)) {
        yield strangerAmong(checking, place, object, isObject);
        continue;
      }
      last = name;
      for (
        let want = await wants.head();
        want?.place === place && want.name < name;
        want = await wants.head()
      ) {
        if (!want.name.startsWith(prefix)) break;
        yield* gone(checking, await wants.take());
      }
      const want = await wants.head();
      if (want?.place === place && want.name === name) await wants.take();
    }
    yield* checkNamed(checking, place, wants, prefix);
  }
}

/** Looks for each object by its name. */
async function* checkNamed(
  checking: Checking,
  place: string,
  wants: Ahead<WantedName>,
  prefix = '',
): AsyncGenerator<Finding, void> {
  for (let want = await wants.head(); want?.place === place; want = await wants.head()) {
    if (!want.name.startsWith(prefix)) return;
    yield* gone(checking, await wants.take());
  }
}

async function* gone(checking: Checking, wanted: WantedName | undefined): AsyncGenerator<Finding, void> {
  if (!wanted) return;
  const { place, name: object, wants, total } = wanted;
  const storage = checking.places.get(place)?.storage ?? checking.storage;
  if (await storage.head(object, checking.call)) return;
  if (!(await isStillWanted(checking, wanted))) return;
  const message = `${storage.uri(object)} is missing, and a value refers to it. Restore it from a copy of the store.`;
  const concerns = wants.map(concernOf);
  const about = { layer: 'content', place, object, severity: 'lost', concerns, concerned: total } as const;
  yield checking.found(about, 'missing', message);
}
