import { BoundedMap } from '../../../async/bounded-map.ts';
import { isStowageError } from '../../../errors.ts';
import { attemptSession } from '../../../format/attempt-files.ts';
import { entryName, isCacheKey } from '../../../format/cache-names.ts';
import { HERE } from '../../../format/content-ref.ts';
import type { ArtifactEntry } from '../../../format/description.ts';
import { sessionOfPins } from '../../../format/open-session.ts';
import { parsePartialName } from '../../../format/partial-names.ts';
import { parsePublishedName } from '../../../format/published-names.ts';
import { decodeRecord } from '../../../format/record.ts';
import type { Concern, Finding } from '../finding.ts';
import { type ComparedPart, lackingRuns, lackingSessions } from './compare-stores.ts';
import { ContentMender, type MendedContent, type NeededContent } from './content-mender.ts';
import { listKept } from './kept-rows.ts';
import { PartialMender } from './partial-mender.ts';
import { PublishedMender } from './published-mender.ts';
import { findRecord, putBack } from './put-back.ts';
import type { RepairContext } from './repair-context.ts';
import { about, type LeftStep, type LostStep, type MendedStep, type RepairStep } from './repair-steps.ts';
import { RunMender } from './run-mender.ts';
import { type MendedSession, SessionMender } from './session-mender.ts';
import { SoughtContents } from './sought-contents.ts';

/** So many sessions, runs and objects are remembered as seen. */
const REMEMBERED = 100_000;
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Mends what a check finds, one finding after the other. */
export class FindingsMender {
  /** A record was mended that names content, which nobody could check before. */
  hasMendedRecords = false;
  readonly #context: RepairContext;
  readonly #contents: ContentMender;
  readonly #sought: SoughtContents;
  readonly #sessions: SessionMender;
  readonly #runs: RunMender;
  readonly #partial: PartialMender;
  readonly #published: PublishedMender;
  readonly #seen = new BoundedMap<string, MendedSession>(REMEMBERED);
  /** Damaged pins, by session: whether that is open tells what becomes of them. */
  readonly #pins = new Map<string, Finding[]>();

  constructor(context: RepairContext) {
    this.#context = context;
    this.#contents = new ContentMender(context);
    this.#sought = new SoughtContents(context, this.#contents);
    this.#sessions = new SessionMender(context, this.#contents);
    this.#runs = new RunMender(context);
    this.#partial = new PartialMender(context, this.#contents);
    this.#published = new PublishedMender(context);
  }

  /** Mends records that a source has and the store lacks: a DONE that is missing looks like an attempt that is open, and no check can tell. */
  async *compare(part: ComparedPart): AsyncGenerator<RepairStep> {
    for (const source of this.#context.others) {
      for await (const base of lackingSessions(this.#context, source, part))
        yield* this.#mendSession(base, undefined);
      for await (const run of lackingRuns(this.#context, source, part)) yield* this.#mendRun(run, undefined);
      for await (const object of this.#partial.compare(source, part))
        yield this.#restored('partial', object, source.uri);
      if (part.flowName !== undefined) continue; // names are the whole store's
      for await (const object of this.#published.compare(source)) {
        if (this.#seen.get(object)) continue;
        // In a dry run it is found missing all the same.
        this.#seen.set(object, { mended: [{ object, from: source.uri, isRewritten: false }], left: [] });
        yield this.#restored('names', object, source.uri);
      }
    }
  }

  #restored(layer: Finding['layer'], object: string, from: string): MendedStep {
    this.hasMendedRecords = true;
    return { outcome: 'mended', how: 'restored', layer, place: HERE, object, from };
  }

  async *mend(finding: Finding): AsyncGenerator<RepairStep> {
    const { severity, remedy, layer, object } = finding;
    if (severity === 'notice') return;
    if (severity === 'unknown') yield left(finding, finding.message);
    else if (layer === 'runs') yield* this.#mendRun(runOf(object), finding);
    else if (layer === 'attempts' || layer === 'loose') yield* this.#mendSession(baseOf(object), finding);
    else if (layer === 'values') yield* this.#mendValues(finding);
    else if (layer === 'content') yield* this.#mendContent(finding);
    else if (remedy === 'delete') yield* this.#delete(finding);
    else if (layer === 'sessions' && sessionOfPins(object) !== undefined) this.#notePins(finding);
    else if (layer === 'partial') yield* this.#mendPartial(finding);
    else if (layer === 'names') yield* this.#mendPublished(finding);
    else yield* this.#restoreEqual(finding);
    if (this.#sought.isFull) yield* this.#sought.search();
  }

  /** What all findings led to that one alone does not. */
  async *finish(): AsyncGenerator<RepairStep> {
    yield* this.#sought.search();
    yield* this.#settlePins();
  }

  async *#mendRun(
    of: { flow: string; run: string },
    finding: Finding | undefined,
  ): AsyncGenerator<RepairStep> {
    const id = `runs/${of.flow}/${of.run}`;
    yield* this.#mendRecords(id, finding, 'runs', () => this.#runs.mend(of));
  }

  async *#mendSession(base: string, finding: Finding | undefined): AsyncGenerator<RepairStep> {
    const layer = base.startsWith('loose/') ? 'loose' : 'attempts';
    yield* this.#mendRecords(base, finding, layer, () => this.#sessions.mend(base));
  }

  async *#mendRecords(
    id: string,
    finding: Finding | undefined,
    layer: Finding['layer'],
    mend: () => Promise<MendedSession>,
  ): AsyncGenerator<RepairStep> {
    let result = this.#seen.get(id);
    if (!result) {
      result = await mend();
      this.#seen.set(id, result);
      for (const { object, from, isRewritten } of result.mended) {
        this.hasMendedRecords = true;
        yield {
          outcome: 'mended',
          how: isRewritten ? 'rewritten' : 'restored',
          layer,
          place: HERE,
          object,
          from,
        };
      }
    }
    if (!finding || result.mended.some(({ object }) => object === finding.object)) return;
    const { why } = result.left.find(({ object }) => object === finding.object) ?? {};
    // The record may have been found whole by now, or be one that another took the place of.
    if (why === undefined && result.mended.length > 0) return;
    yield* gone(finding, why ?? finding.message);
  }

  async *#mendContent(finding: Finding): AsyncGenerator<RepairStep> {
    const { key, copy, place, object, problem, severity, remedy, concerned } = finding;
    const isThere = problem !== 'missing';
    // Of a pack that is gone nothing can be marked but the copy that names it.
    const toMark = isThere ? object : copy;
    if (toMark !== undefined && !this.#context.dryRun)
      await this.#contents.mark(place, toMark, finding.message);
    if (key === undefined) {
      yield* gone(finding, finding.message);
      return;
    }
    if (remedy === 'delete') yield* this.#evict(finding);
    if (severity !== 'lost' || concerned === 0) {
      if (toMark !== undefined) yield { ...about(finding), outcome: 'mended', how: 'marked', key };
      return;
    }
    const file = object.startsWith('plain/') ? object.split('/').at(-1) : undefined;
    yield* this.#have({ key, place, file }, finding, undefined);
  }

  /** Entries of the cache whose content cannot be read, and which alone name it: the next calls run their tasks. */
  async *#evict(finding: Finding): AsyncGenerator<RepairStep> {
    for (const { kind, name = '' } of finding.concerns) {
      if (kind !== 'cache entry' || !isCacheKey(name)) continue;
      yield* this.#delete({ ...finding, layer: 'cache', place: HERE, object: entryName(name) });
    }
  }

  async *#have(
    needed: NeededContent,
    finding: Finding,
    concerns: readonly Concern[] | undefined,
  ): AsyncGenerator<RepairStep> {
    let mended: MendedContent;
    try {
      mended = await this.#contents.mend(needed);
    } catch (error) {
      if (
        !isStowageError(error, 'PLACE_NOT_FOUND', 'PLACE_NOT_OURS', 'PLACE_NOT_TRUSTED', 'PLACE_UNREACHABLE')
      )
        throw error;
      yield left(finding, error.message);
      return;
    }
    if (mended.outcome === 'lost') {
      const why = mended.why;
      const lost: Concern[] = [];
      for (const concern of concerns ?? finding.concerns) {
        const become = concern.kind === 'table' ? yield* this.#mendTable(needed, finding, concern) : 'lost';
        if (become === 'stands') return;
        if (become === 'lost') lost.push(concern);
      }
      const isSome = lost.length < finding.concerns.length;
      // What others of its rows name is told by the next round, if there were more than the finding tells.
      if (isSome && lost.length === 0) return;
      this.#sought.add({ needed, finding, why, ...(concerns || isSome ? { concerns: lost } : {}) });
      return;
    }
    const { key } = needed;
    if (mended.outcome === 'mended')
      yield { ...about(finding), outcome: 'mended', how: 'restored', key, from: mended.from };
    else yield { ...about(finding), outcome: 'mended', how: 'marked', key };
  }

  /** Rows that were moved into content, which no other store has in the same bytes: that content `stands` again, or their session was described anew by other rows. */
  async *#mendTable(
    needed: NeededContent,
    finding: Finding,
    { session, flow, run, step, task, attempt }: Concern,
  ): AsyncGenerator<RepairStep, 'stands' | 'described' | 'lost'> {
    const base = flow === undefined ? `loose/${session}` : `flows/${flow}/${run}/${step}/${task}/${attempt}`;
    const found = await this.#sessions.mendTable(base, needed.key);
    if ('read' in found) {
      const mended = await this.#contents.mend(needed, [found]);
      if (mended.outcome === 'lost') return 'lost';
      if (mended.outcome === 'whole') return 'stands';
      yield { ...about(finding), outcome: 'mended', how: 'restored', key: needed.key, from: mended.from };
      return 'stands';
    }
    for (const { object, from } of found.mended) {
      this.hasMendedRecords = true;
      const layer = flow === undefined ? 'loose' : 'attempts';
      yield { outcome: 'mended', how: 'rewritten', layer, place: HERE, object, from };
    }
    return found.mended.length > 0 ? 'described' : 'lost';
  }

  /** Values of an attempt's own that are gone or damaged where its rows say: each gets a copy under its key. */
  async *#mendValues(finding: Finding): AsyncGenerator<RepairStep> {
    const { target, options } = this.#context;
    const [, flow = '', run = '', step = '', task = '', file = ''] = finding.object.split('/');
    const [number = '', object = ''] = file.split('.');
    const { base } = attemptSession({ flow, run, step, task }, Number(number));
    const rows: ArtifactEntry[] = [];
    for await (const { artifacts } of listKept(target, options, [`${base}.`])) {
      for (const row of artifacts) {
        if (row.own?.object === object && (row.own.place ?? HERE) === finding.place) rows.push(row);
      }
    }
    if (rows.length === 0) {
      yield left(finding, finding.message);
      return;
    }
    const valuesBase = `values/${flow}/${run}/${step}/${task}/${number}.`;
    const addresses = rows.flatMap(({ key, bytes, own }) => (own ? [{ key, bytes, own }] : []));
    const loaded = await target.reader.loadOwn(valuesBase, addresses, options);
    for (const { key, name } of rows) {
      if (loaded.get(key) instanceof Uint8Array) continue;
      const concern = { flow, run, step, task, attempt: Number(number), name, kind: 'artifact' } as const;
      yield* this.#have({ key, place: finding.place }, finding, [concern]);
    }
  }

  async *#delete(finding: Finding): AsyncGenerator<RepairStep> {
    const { target, dryRun, options } = this.#context;
    if (!dryRun) {
      const [failure] = await target.storage.delete([finding.object], options);
      if (failure) {
        yield left(finding, failure.error.message);
        return;
      }
    }
    yield { ...about(finding), outcome: 'mended', how: 'deleted' };
  }

  /**
   * Traces and checkpoints come from a source. Parts of metadata, and versions of reports, of an attempt that is described say nothing beside that; a trace that is damaged is taken
   * for none, and costs a call.
   */
  async *#mendPartial(finding: Finding): AsyncGenerator<RepairStep> {
    const name = parsePartialName(finding.object);
    const from = name && (await this.#partial.mend(name));
    if (from !== undefined) {
      yield this.#restored('partial', finding.object, from);
      return;
    }
    const [, kind = 'record'] =
      /\/\d+\.(metadata|report|trace|checkpoint)\.[^/]*$/.exec(finding.object) ?? [];
    const isMerged = kind === 'metadata' || kind === 'report';
    if (kind === 'trace' || (isMerged && (await this.#isDescribed(finding.object))))
      yield* this.#delete(finding);
    else {
      const concerns = finding.concerns.map((of) => ({ ...of, kind: kind as Concern['kind'] }));
      yield* this.#restoreEqual({ ...finding, concerns });
    }
  }

  async *#mendPublished(finding: Finding): AsyncGenerator<RepairStep> {
    if (this.#seen.get(finding.object)) return;
    const found = parsePublishedName(finding.object);
    const from = found && !found.isMark && (await this.#published.mend(found));
    if (from) yield this.#restored('names', finding.object, from);
    else yield* gone(finding, finding.message);
  }

  async #isDescribed(partial: string): Promise<boolean> {
    const { target, options } = this.#context;
    const base = baseOf(partial).replace(/^partial\//, 'flows/');
    for await (const { outcome } of listKept(target, options, [`${base}.`])) return outcome !== 'abandoned';
    return false;
  }

  /** Only a store that was copied file by file has the very bytes of other records; of parts of metadata any copy has them. */
  async *#restoreEqual(finding: Finding): AsyncGenerator<RepairStep> {
    const { target, targetId, others, dryRun, options } = this.#context;
    const { object, place } = finding;
    const isPart = /^partial\/.*\.metadata\.\d{8}\.json$/.test(object);
    for (const { store, id, uri } of place === HERE ? others : []) {
      if (id !== targetId && !isPart) continue;
      const find = (storage: typeof target.storage): ReturnType<typeof findRecord> =>
        findRecord(storage, object, MAX_RECORD_BYTES, decodeRecord, options);
      const theirs = await find(store.storage);
      const ours = await find(target.storage);
      if (theirs.state !== 'whole' || ours.state === 'whole') continue;
      if (!dryRun) await putBack(target.storage, object, theirs.bytes, ours, options);
      yield { ...about(finding), outcome: 'mended', how: 'restored', from: uri };
      return;
    }
    yield* gone(finding, finding.message);
  }

  #notePins(finding: Finding): void {
    const session = sessionOfPins(finding.object) as string;
    this.#pins.set(session, [...(this.#pins.get(session) ?? []), finding]);
  }

  /** Pins of a session that is closed keep nothing alive, and can go. */
  async *#settlePins(): AsyncGenerator<RepairStep> {
    if (this.#pins.size === 0) return;
    const { target, options } = this.#context;
    for await (const { session } of listKept(target, options)) {
      const findings = this.#pins.get(session) ?? [];
      this.#pins.delete(session);
      for (const finding of findings) yield* this.#delete(finding);
    }
    for (const findings of this.#pins.values())
      for (const finding of findings) yield* this.#restoreEqual(finding);
    this.#pins.clear();
  }
}

/** A finding that stays: what is lost by it is told one by one. */
function* gone(finding: Finding, why: string): Generator<LostStep | LeftStep> {
  if (finding.severity !== 'lost' || finding.concerns.length === 0) {
    yield left(finding, why);
    return;
  }
  const { object, place } = finding;
  for (const concern of finding.concerns) yield { ...concern, outcome: 'lost', object, place, why };
}

function left({ layer, problem, place, object }: Finding, why: string): LeftStep {
  return { outcome: 'left', layer, problem, place, object, why };
}

function runOf(object: string): { flow: string; run: string } {
  const [, flow = '', run = ''] = object.split('/');
  return { flow, run };
}

/** The beginning of the names of a session's files. */
function baseOf(object: string): string {
  const slash = object.lastIndexOf('/') + 1;
  const dot = object.indexOf('.', slash);
  return dot === -1 ? object : object.slice(0, dot);
}
