import { ENVELOPE_HEADER_BYTES, openEnvelope, readEnvelopeHeader } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { reasonOf } from '../../content/damage.ts';
import type { PlaceOfContent } from '../../content/reading/presence.ts';
import { digestHex } from '../../digest/blake3.ts';
import { isStowageError } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import { HERE } from '../../format/content-ref.ts';
import type { ArtifactEntry } from '../../format/description.ts';
import { MAX_OWN_OBJECT_BYTES, type OwnObject, type OwnValue } from '../../format/own-values.ts';
import { SESSION_PATTERN } from '../../format/session-id.ts';
import { Cursor } from '../collection/sorted-lines.ts';
import type { Checking } from './checking.ts';
import { problemOf } from './faults.ts';
import type { Finding, Problem } from './finding.ts';
import type { ShownSession } from './listed-sessions.ts';
import { layerOf, type SessionFacts } from './look-at-session.ts';
import { concernOf } from './wanted.ts';

type OwnRow = ArtifactEntry & { own: OwnValue };

const nameRegExp = new RegExp(`^(values(?:/[^/]+){4}/(?:0|[1-9]\\d{0,15})\\.)${SESSION_PATTERN}-\\d{8}$`);

/** Checks the objects of values of a closed attempt, against its rows. */
export async function checkOwnObjects(
  checking: Checking,
  shown: ShownSession,
  { description, table }: SessionFacts,
): Promise<Finding[]> {
  if (!description || !table || !checking.isRecent(shown)) return [];
  const rows = table.artifacts.filter((row): row is OwnRow => row.own !== undefined);
  const findings: Finding[] = [];
  const listed = new Map(description.values.map((object) => [idOf(object), object]));
  for (const row of rows) {
    const { offset, storedBytes } = row.own;
    const object = listed.get(idOf(row.own));
    if (object && offset + storedBytes <= object.bytes) continue;
    const message = `The description of ${shown.base} says that artifact ${row.name} lies in its object of values ${row.own.object}, ${object ? 'behind the end of it' : 'which it does not list'}. Restore the description from a copy of the store.`;
    const concerns = [concernOf({ owner: shown.base, kind: 'artifact', name: row.name })];
    const about = { layer: layerOf(shown), object: `${shown.base}.metadata.json`, concerns } as const;
    findings.push(checking.found({ ...about, severity: 'lost' }, 'contradiction', message));
  }
  for (const object of description.values) {
    const within = rows.filter(({ own }) => idOf(own) === idOf(object));
    findings.push(...(await checkObject(checking, shown, object, within)));
  }
  return findings;
}

function idOf({ object, place = HERE }: { object: string; place?: string }): string {
  return `${place}\t${object}`;
}

async function checkObject(
  checking: Checking,
  { base, values = '' }: ShownSession,
  own: OwnObject,
  rows: readonly OwnRow[],
): Promise<Finding[]> {
  const { object, bytes, place = HERE } = own;
  const at = checking.places.get(place);
  if (!at) return []; // the place is told of
  const name = values + object;
  let fault: Fault | undefined;
  const isDone = checking.reading.isDone('attempts', HERE, base);
  const chosen = isDone ? [] : rows.filter(({ key }) => checking.reading.isChosen(key));
  const dropped = isDone ? [] : own.dropped.filter((key) => checking.reading.isChosen(key));
  if (chosen.length + dropped.length === 0) fault = await lookAt(checking, at, name, bytes, rows);
  else {
    fault = await readWhole(checking, at, name, own, rows);
    // Bytes may have been changed on their way.
    if (fault?.problem === 'damaged') fault = await readWhole(checking, at, name, own, rows);
  }
  return fault ? tell(checking, at, base, { ...own, name }, fault) : [];
}

/** What is wrong with an object of values, and the rows whose values it has not. */
interface Fault {
  problem: Problem;
  message: string;
  rows: readonly OwnRow[];
}

async function lookAt(
  { call }: Checking,
  { storage }: PlaceOfContent,
  name: string,
  bytes: number,
  rows: readonly OwnRow[],
): Promise<Fault | undefined> {
  const info = await storage.head(name, call);
  if (!info) return { problem: 'missing', message: gone(storage.uri(name)), rows };
  if (info.bytes === bytes) return undefined;
  const message = `${storage.uri(name)} is damaged: it has ${info.bytes} bytes instead of ${bytes}.`;
  return { problem: 'damaged', message, rows };
}

async function readWhole(
  { call }: Checking,
  { storage }: PlaceOfContent,
  name: string,
  { bytes, dropped }: OwnObject,
  rows: readonly OwnRow[],
): Promise<Fault | undefined> {
  let body: Uint8Array;
  try {
    const object = await storage.get(name, { ...call, maxBytes: MAX_OWN_OBJECT_BYTES });
    if (!object) return { problem: 'missing', message: gone(storage.uri(name)), rows };
    body = object.body;
  } catch (error) {
    const { problem, error: fault } = problemOf(error);
    return { problem, message: fault.message, rows };
  }
  await prepareCodec();
  const lacking = rows.filter((row) => entryFault(body, row.own, row.key) !== undefined);
  const [row] = lacking;
  const faults = [
    ...(body.length === bytes ? [] : [`it has ${body.length} bytes instead of ${bytes}`]),
    ...(row ? [entryFault(body, row.own, row.key) as string] : []),
    ...faultsBetween(body, rows, dropped),
  ];
  if (faults.length === 0) return undefined;
  return { problem: 'damaged', message: `${storage.uri(name)} is damaged: ${faults[0]}.`, rows: lacking };
}

/** What is wrong with the entry of a row. */
function entryFault(
  body: Uint8Array,
  { offset, storedBytes }: Pick<OwnValue, 'offset' | 'storedBytes'>,
  key: ContentKey,
): string | undefined {
  const found = keyOf(body.subarray(offset, offset + storedBytes));
  if (found.key === key) return undefined;
  return `the value at ${offset} ${found.fault ?? `is that of the key ${found.key}, and not of ${key}`}`;
}

/** What is wrong with what lies between the entries of rows: others that the description tells of, without gaps. */
function faultsBetween(body: Uint8Array, rows: readonly OwnRow[], dropped: readonly ContentKey[]): string[] {
  const missing = new Set(dropped);
  const ends = new Map(rows.map(({ own }) => [own.offset, own.offset + own.storedBytes]));
  for (let offset = 0; offset < body.length; ) {
    const end = ends.get(offset) ?? endOf(body, offset);
    if (end === undefined) return [`what lies at ${offset} is no entry`];
    if (!ends.has(offset)) {
      const { key, fault } = keyOf(body.subarray(offset, end));
      if (key === undefined) return [`the entry at ${offset} ${fault}`];
      if (!dropped.includes(key))
        return [`the entry at ${offset} is one that its description does not tell of`];
      missing.delete(key);
    }
    offset = end;
  }
  return missing.size === 0 ? [] : ['it lacks an entry that its description tells of'];
}

function endOf(body: Uint8Array, offset: number): number | undefined {
  try {
    return offset + ENVELOPE_HEADER_BYTES + readEnvelopeHeader(body, offset).storedBytes;
  } catch (error) {
    if (isStowageError(error, 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT')) return undefined;
    throw error;
  }
}

function keyOf(
  envelope: Uint8Array,
): { key: ContentKey; fault?: undefined } | { key?: undefined; fault: string } {
  try {
    return { key: digestHex(openEnvelope(envelope, { kind: ['blob'] }).raw) };
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT')) throw error;
    return { fault: `cannot be read: ${reasonOf(error)}` };
  }
}

/** A value that is damaged or gone may have been mended: then there is a copy under its key. */
async function tell(
  checking: Checking,
  at: PlaceOfContent,
  base: string,
  { name, place = HERE }: OwnObject & { name: string },
  { problem, message, rows }: Fault,
): Promise<Finding[]> {
  const lost: OwnRow[] = [];
  for (const row of rows) if (!(await isMended(checking, at, row, place))) lost.push(row);
  const concerns = lost.map((row) => concernOf({ owner: base, kind: 'artifact', name: row.name }));
  const about = { layer: 'values', place, object: name, concerns } as const;
  if (lost.length > 0) {
    const key = lost[0]?.key as ContentKey;
    return [checking.found({ ...about, key, severity: 'lost' }, problem, message)];
  }
  if (problem === 'unreadable' || rows.length === 0) return [checking.found(about, problem, message)];
  const mended = `${message} Copies of its values stand in its place.`;
  return [checking.found(about, 'marked', mended)];
}

async function isMended(
  { call }: Checking,
  { reader }: PlaceOfContent,
  row: OwnRow,
  place: string,
): Promise<boolean> {
  try {
    await reader.load({ key: row.key, bytes: row.bytes, place }, call);
    return true;
  } catch (error) {
    if (isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_DAMAGED')) return false;
    problemOf(error);
    return false;
  }
}

function gone(uri: string): string {
  return `${uri} is missing: it held values of an attempt. Restore it from a copy of the store.`;
}

/** Layer `values`: objects that no attempt has. */
export async function* checkValues(checking: Checking): AsyncGenerator<Finding, void> {
  for (const place of [...checking.places.keys()].sort()) {
    const storage = checking.places.get(place)?.storage as PlaceOfContent['storage'];
    const cursors = [checking.valuesKnown, checking.valuesUnknown, checking.valuesKept].map(
      (lines) => new Cursor(lines.sorted()),
    );
    const [known, unknown, kept] = cursors as [Cursor, Cursor, Cursor];
    try {
      for await (const object of checking.list(checking.prefixOf('values/'), storage)) {
        const [, base] = nameRegExp.exec(object.name) ?? [];
        if (base === undefined) {
          yield checking.foreign('values', object.name, place);
          continue;
        }
        const isKnown = known.has(base);
        const isKept = unknown.has(base) || kept.has(`${place}\t${object.name}`);
        if (isKept || checking.isIncomplete || !checking.isSettled(object)) continue;
        const why = isKnown
          ? 'holds values that its attempt does not have. The next collection deletes it.'
          : 'holds values of an attempt of which there is no record: its records were forgotten, or are lost. The next collection deletes it.';
        const about = { layer: 'values', place, object: object.name, remedy: 'collect' } as const;
        yield checking.leftover(about, why);
      }
    } finally {
      for (const cursor of cursors) cursor.close();
    }
  }
}
