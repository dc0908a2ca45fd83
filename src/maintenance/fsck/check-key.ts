import { lookAt, lookAtPacks } from '../../content/copies.ts';
import { damagedObject, objectGone, reasonOf } from '../../content/damage.ts';
import type { PlaceOfContent } from '../../content/reading/presence.ts';
import type { StowageError } from '../../errors.ts';
import { copyPrefix, damagedMarkOf } from '../../format/content-names.ts';
import { SESSION_FILES } from '../../format/session-files.ts';
import type { Checking } from './checking.ts';
import { findingOf, problemOf } from './faults.ts';
import type { Finding, Problem } from './finding.ts';
import { type KeyToCheck, listKey, type ShownCopy } from './listed-copies.ts';
import { isStillWanted } from './still-wanted.ts';
import { concernOf, type ToldAddress, type WantedName } from './wanted.ts';

/** What a look at one copy came to. */
interface Verdict {
  copy: ShownCopy;
  /** The length of the content, and the root of its manifest, where they are known. */
  bytes?: number | undefined;
  root?: string | undefined;
  fault?: CopyFault;
}

interface CopyFault {
  problem: Problem;
  error: StowageError;
  /** The copy, or the pack or plain object that it names. */
  object: string;
  isMarked: boolean;
}

/** Checks one content: each of its copies, and whether what records want of it can be read. */
export async function checkKey(checking: Checking, item: KeyToCheck): Promise<Finding[]> {
  const { place, key, wanted } = item;
  if (checking.reading.isDone('content', place, key)) return [];
  if (!wanted && !item.copies.some((copy) => checking.isRecent(copy))) return [];
  const at = checking.places.get(place) as PlaceOfContent;
  const verdicts = await judge(checking, at, item.copies);
  if (wanted && !verdicts.some(isWhole)) {
    // A collector may have left another copy than those that were listed.
    const known = new Set(item.copies.map(({ name }) => name));
    const others = (await listKey(checking, place, key)).filter(({ name }) => !known.has(name));
    verdicts.push(...(await judge(checking, at, others)));
    if (!verdicts.some(isWhole) && !(await isStillWanted(checking, wanted))) return [];
  }
  const findings = verdicts.flatMap((verdict) => faultOf(item, verdicts, verdict, at) ?? []);
  if (wanted && verdicts.length === 0) findings.push(contentGone(item, wanted, at));
  if (wanted) findings.push(...contradictions(checking, item, wanted, verdicts));
  return findings;
}

function isWhole({ fault }: Verdict): boolean {
  return fault === undefined;
}

async function judge(
  checking: Checking,
  at: PlaceOfContent,
  copies: readonly ShownCopy[],
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const copy of copies) {
    const verdict = await judgeCopy(checking, at, copy);
    if (verdict) verdicts.push(verdict);
  }
  return verdicts;
}

/** `undefined` for a copy that was deleted since it was listed. */
async function judgeCopy(
  checking: Checking,
  at: PlaceOfContent,
  copy: ShownCopy,
): Promise<Verdict | undefined> {
  const { name, key, bytes, listedBytes, isMarked } = copy;
  const { storage } = at;
  try {
    if (bytes !== listedBytes)
      throw damagedObject(name, `it has ${listedBytes} bytes, and its name says ${bytes}`);
    if (checking.reading.isChosen(key) && checking.isRecent(copy))
      return { copy, ...(await at.reader.verifyCopy(name, checking.call)) };
    if (isMarked) throw damagedObject(name, 'a mark beside it says so');
    return { copy, ...(copy.folder === 'data' ? {} : await lookAtNamed(checking, at, name)) };
  } catch (thrown) {
    const { problem, error } = problemOf(thrown);
    if (problem !== 'unreadable' && !(await storage.head(name, checking.call))) return undefined;
    const { object = name, name: of = object } = error.details;
    const named = String(error.code === 'CONTENT_NOT_FOUND' ? of : object);
    const isOther = named !== name && (await storage.head(damagedMarkOf(named), checking.call)) !== undefined;
    return { copy, fault: { problem, error, object: named, isMarked: isMarked || isOther } };
  }
}

/** Looks whether what a manifest or locator names is there, and as long as it says. */
async function lookAtNamed(
  { call }: Checking,
  { storage, reader }: PlaceOfContent,
  name: string,
): Promise<{ bytes: number; root: string | undefined }> {
  const described = await reader.describeCopy(name, call);
  if (!described) throw objectGone(name);
  const { packs, plain, stored } = described;
  const there = await lookAtPacks(
    storage,
    packs.map((pack) => pack.name),
    call,
  );
  for (const { name: pack, bytes } of packs) ensureThere(pack, bytes, there.get(pack));
  if (plain !== undefined) ensureThere(plain, stored.bytes, await lookAt(storage, plain, call));
  return { bytes: stored.bytes, root: stored.root };
}

function ensureThere(
  name: string,
  bytes: number,
  found: { bytes: number; marked: boolean } | undefined,
): void {
  if (!found) throw objectGone(name);
  if (found.bytes !== bytes) throw damagedObject(name, `it has ${found.bytes} bytes instead of ${bytes}`);
  if (found.marked) throw damagedObject(name, 'a mark beside it says so');
}

function faultOf(
  { place, key, wanted }: KeyToCheck,
  all: readonly Verdict[],
  { copy, fault }: Verdict,
  { storage }: PlaceOfContent,
): Finding | undefined {
  if (!fault) return undefined;
  const { problem, error, object, isMarked } = fault;
  const isNeedless = !wanted || all.some(isWhole);
  const isCertain = isKnown(problem);
  // A copy that could not be read may be whole.
  const isLost =
    !isNeedless && !wanted.isOnlyCached && all.every(({ fault: of }) => of && isKnown(of.problem));
  const concerns = isNeedless ? [] : wanted.wants.map(concernOf);
  const what = problem === 'missing' ? 'is missing' : `is not whole: ${reasonOf(error)}`;
  const rest = isNeedless
    ? wanted
      ? 'Another copy of the content serves.'
      : 'Nothing refers to it.'
    : 'No other copy of the content can be read; restore it from a copy of the store, or save it again.';
  return findingOf({
    layer: 'content',
    problem: isMarked && isNeedless && isCertain ? 'marked' : problem,
    severity: isLost ? 'lost' : 'damaged',
    remedy: isNeedless ? 'mark' : wanted.isOnlyCached ? 'delete' : 'restore',
    place,
    object,
    key,
    copy: copy.name,
    message: isCertain ? `${storage.uri(object)} ${what}. ${rest}` : error.message,
    concerns,
    concerned: isNeedless ? 0 : wanted.total,
  });
}

function isKnown(problem: Problem): boolean {
  return problem !== 'unreadable' && problem !== 'newer-format';
}

function contentGone(
  { place, key }: KeyToCheck,
  { wants, total, isOnlyCached }: WantedName,
  { storage }: PlaceOfContent,
): Finding {
  const object = wants.find(({ copy }) => copy !== undefined)?.copy ?? `${copyPrefix('data', key)}*`;
  return findingOf({
    layer: 'content',
    problem: 'missing',
    severity: isOnlyCached ? 'notice' : 'lost',
    remedy: isOnlyCached ? 'delete' : 'restore',
    place,
    object,
    key,
    message: `${storage.uri(object)} is missing, and there is no other copy of content ${key}. Restore it from a copy of the store, or save it again.`,
    concerns: wants.map(concernOf),
    concerned: total,
  });
}

/** Records that tell another length or root than every copy that is whole. */
function contradictions(
  checking: Checking,
  { key }: KeyToCheck,
  { told }: WantedName,
  verdicts: readonly Verdict[],
): Finding[] {
  const whole = verdicts.filter(isWhole);
  if (whole.length === 0) return [];
  return told.flatMap((address) => {
    if (whole.some((verdict) => fits(address, verdict))) return [];
    const { owner } = address.want;
    const object = /^(?:flows|loose)\//.test(owner) ? owner + SESSION_FILES.metadata : owner;
    const message = `${checking.storage.uri(object)} says of content ${key} what no copy of it is: another length, or another root. Restore the record from a copy of the store.`;
    const about = { layer: 'attempts', object, key, concerns: [concernOf(address.want)] } as const;
    return [checking.found({ ...about, severity: 'lost' }, 'contradiction', message)];
  });
}

function fits({ bytes, root }: ToldAddress, found: Verdict): boolean {
  const isLength = bytes === undefined || found.bytes === undefined || bytes === found.bytes;
  return isLength && (root === undefined || found.root === undefined || root === found.root);
}
