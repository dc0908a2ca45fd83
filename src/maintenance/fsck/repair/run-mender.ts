import { isDeepStrictEqual } from 'node:util';
import { isStowageError } from '../../../errors.ts';
import { listTasks, readDone } from '../../../format/attempt-files.ts';
import { decodeRunFinished, listRunEnds, type RunFinished, runEndName } from '../../../format/run-ends.ts';
import {
  createdName,
  createRunTime,
  decodeRunCreated,
  MAX_RUN_RECORD_BYTES,
  parseRunTime,
  type RunCreated,
} from '../../../format/run-records.ts';
import { originOf } from '../../../sessions/closed-result.ts';
import { copiedSessionId } from '../../../sessions/copied-session.ts';
import { type FoundRecord, findRecord, putBack } from './put-back.ts';
import { isFaultOfSource, type RepairContext, type SourceStore } from './repair-context.ts';
import type { MendedRecord, MendedSession } from './session-mender.ts';

/** So many attempts of a run are compared, until one tells that a source has the same run. */
const MAX_COMPARED = 100;

type RunName = { readonly flow: string; readonly run: string };

/** Mends the records of runs, which a copy of a store has as they are, but for where content was to go. */
export class RunMender {
  readonly #context: RepairContext;

  constructor(context: RepairContext) {
    this.#context = context;
  }

  async mend(of: RunName): Promise<MendedSession> {
    const mended: MendedRecord[] = [];
    const { target, others } = this.#context;
    const created = await this.#findCreated(target, of);
    let known = created.state === 'whole' ? created.record : undefined;
    const ends = await this.#ends(target, of);
    for (const source of others) {
      const theirs = await this.#readSource(source, of, known);
      if (!theirs) continue;
      if (!known) {
        await this.#put(mended, source, createdName(of.flow, of.run), created, theirs.bytes);
        known = theirs.record;
      }
      for (const [end, found] of theirs.ends) {
        const ours = ends.get(end) ?? { state: 'missing' };
        if (ours.state === 'whole' || found.state !== 'whole') continue;
        await this.#put(mended, source, runEndName(of.flow, of.run, end), ours, found.bytes);
        ends.set(end, found);
      }
    }
    const at = known && (await this.#mendTime(of, known));
    if (at) mended.push(at);
    const left = [...ends].flatMap(([end, found]) => faultOf(runEndName(of.flow, of.run, end), found));
    if (!known) left.push(...faultOf(createdName(of.flow, of.run), created));
    return { mended, left };
  }

  async #put(
    mended: MendedRecord[],
    { uri }: SourceStore,
    object: string,
    found: FoundRecord<unknown>,
    body: Uint8Array,
  ): Promise<void> {
    const { target, dryRun, options } = this.#context;
    if (!dryRun) await putBack(target.storage, object, body, found, options);
    mended.push({ object, from: uri, isRewritten: false });
  }

  /** The file that tells listings the time, made again from created.json. */
  async #mendTime({ flow, run }: RunName, { createdAt }: RunCreated): Promise<MendedRecord | undefined> {
    const { target, dryRun, options } = this.#context;
    const timeMs = Date.parse(createdAt);
    const prefix = `runs/${flow}/${run}/`;
    if (parseRunTime(`at.${timeMs}`) === undefined) return undefined;
    for await (const page of target.storage.list({ prefix: `${prefix}at.`, ...options })) {
      if (page.objects.some(({ name }) => name === `${prefix}at.${timeMs}`)) return undefined;
    }
    if (!dryRun) await createRunTime(target.storage, flow, run, createdAt, options);
    return {
      object: `${prefix}at.${timeMs}`,
      from: target.storage.uri(createdName(flow, run)),
      isRewritten: false,
    };
  }

  /** The run in a source, if it is the same one there. */
  async #readSource(
    source: SourceStore,
    of: RunName,
    known: RunCreated | undefined,
  ): Promise<
    { record: RunCreated; bytes: Uint8Array; ends: Map<number, FoundRecord<RunFinished>> } | undefined
  > {
    try {
      const created = await this.#findCreated(source.store, of);
      if (created.state !== 'whole') return undefined;
      const { record, bytes } = created;
      const isSame = known ? isSameRun(known, record) : await this.#hasSameAttempt(source, of);
      return isSame ? { record, bytes, ends: await this.#ends(source.store, of) } : undefined;
    } catch (error) {
      if (!isFaultOfSource(error)) throw error;
      return undefined;
    }
  }

  /** Tells by an attempt of both whether a run is the same, where its own record is lost. One without an attempt that is closed is taken by its name. */
  async #hasSameAttempt(source: SourceStore, of: RunName): Promise<boolean> {
    const { target, targetId, options } = this.#context;
    if (source.id === targetId) return true;
    let compared = 0;
    for await (const { path, attempts } of listTasks(source.store.storage, of, options)) {
      for (const [attempt, files] of attempts) {
        if (!files.has('done') || compared >= MAX_COMPARED) continue;
        const theirs = await unlessFault(() => readDone(source.store.storage, path, attempt, options));
        const ours = await unlessFault(() => readDone(target.storage, path, attempt, options));
        if (!theirs || !ours) continue;
        compared += 1;
        const origin = originOf(theirs, source.id);
        const session = origin.store === targetId ? origin.session : copiedSessionId(targetId, origin);
        if (ours.session === session) return true;
      }
    }
    return compared === 0;
  }

  #findCreated({ storage }: RepairContext['target'], of: RunName): Promise<FoundRecord<RunCreated>> {
    const decode = (bytes: Uint8Array, what: string): RunCreated => decodeRunCreated(bytes, what, of);
    const { options } = this.#context;
    return findRecord(storage, createdName(of.flow, of.run), MAX_RUN_RECORD_BYTES, decode, options);
  }

  async #ends(
    { storage }: RepairContext['target'],
    { flow, run }: RunName,
  ): Promise<Map<number, FoundRecord<RunFinished>>> {
    const { options } = this.#context;
    const ends = new Map<number, FoundRecord<RunFinished>>();
    for (const end of await listRunEnds(storage, flow, run, options)) {
      const decode = (bytes: Uint8Array, what: string): RunFinished =>
        decodeRunFinished(bytes, what, { flow, run, end });
      ends.set(
        end,
        await findRecord(storage, runEndName(flow, run, end), MAX_RUN_RECORD_BYTES, decode, options),
      );
    }
    return ends;
  }
}

/** Where content was to go is said by the store that wrote it alone. */
function isSameRun(a: RunCreated, b: RunCreated): boolean {
  return isDeepStrictEqual({ ...a, rawDataPath: undefined }, { ...b, rawDataPath: undefined });
}

function faultOf(object: string, found: FoundRecord<unknown>): { object: string; why: string }[] {
  if (found.state === 'whole') return [];
  return [{ object, why: found.state === 'damaged' ? found.why : `${object} is missing` }];
}

async function unlessFault<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isStowageError(error, 'RECORD_DAMAGED', 'UNSUPPORTED_FORMAT')) throw error;
    return undefined;
  }
}
