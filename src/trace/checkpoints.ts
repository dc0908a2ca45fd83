import { channel } from 'node:diagnostics_channel';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { isStowageError } from '../errors.ts';
import {
  CHECKPOINT_ROW,
  checkpointName,
  checkpointSubject,
  decodeCheckpoint,
  encodeCheckpoint,
  MAX_CHECKPOINT_RECORD_BYTES,
} from '../format/checkpoint-record.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { GONE, rowsOf } from './recorded-rows.ts';
import type { TaskMemory } from './task-memory.ts';

/** A message of the channel `stowage:checkpoint-not-loaded`: a checkpoint is passed over, because its record or its content is gone or damaged. */
export interface CheckpointNotLoaded {
  /** The name of the record. */
  record: string;
  error: unknown;
}

const notLoaded = channel('stowage:checkpoint-not-loaded');

/** A checkpoint that an attempt has. */
interface SavedCheckpoint {
  attempt: number;
  sequence: number;
}

/** States of a task to go on from. The latest that was saved counts, by this attempt or one before it. */
export class Checkpoints {
  readonly #memory: TaskMemory | undefined;
  /** Those that this attempt saved, by their numbers: of saves beside each other the later call counts. */
  #saved = -1;
  #next = 0;

  /**
   * @internal
   * @param memory - absent where nothing is recorded
   */
  constructor(memory: TaskMemory | undefined) {
    this.#memory = memory;
  }

  /**
   * Saves a value to go on from: anything that can be an artifact, bytes, files and directories (`await task.files.fromLocal(path)`) among it, alone or nested. It
   * is durable when the promise resolves: one create, up to 64 KiB; what is larger is content, of which only new chunks are written. The one before it
   * counts no more. Saved for the next attempt of the task, not as its result.
   *
   * @throws StowageError `UNSERIALIZABLE_ARTIFACT`, `ATTEMPT_CLOSED`, `CONTENT_NOT_FOUND` for a file that is not in the store, or a storage's error
   */
  async save(value: unknown, options: CallOptions = {}): Promise<void> {
    checkOptionNames(options, 'checkpoint.save');
    const memory = this.#memory;
    if (!memory) return;
    const { attempt } = memory;
    const signal = options.signal ?? memory.signal;
    const sequence = this.#next++;
    const { registry } = attempt.context;
    const loading = registry.prepareToSave([value]);
    if (loading) await loading;
    const serialized = registry.serialize(CHECKPOINT_ROW, value);
    await memory.tolerating(() =>
      attempt.writeBeside('checkpoints', async (beside) => {
        const artifacts = await beside.rows([{ name: CHECKPOINT_ROW, serialized }], { signal });
        const { path, session, attempt: number } = beside;
        const said = { session, savedAt: new Date().toISOString(), table: { artifacts } };
        const record = encodeCheckpoint(said, checkpointSubject(path, number, sequence));
        await beside.create(checkpointName(path, number, sequence), record, artifacts, { signal });
        this.#saved = Math.max(this.#saved, sequence);
      }),
    );
  }

  /**
   * Loads the latest value that was saved, by this attempt or, without one, by those before it, behind the latest that is done; `undefined`
   * where there is none. Each load makes a value of its own. One whose record or content is gone or damaged is passed over for the one before it, and
   * the channel `stowage:checkpoint-not-loaded` tells so.
   *
   * @throws StowageError `ATTEMPT_CLOSED`, `UNKNOWN_ENCODING`, or a storage's error
   */
  async load<T = unknown>(options: CallOptions = {}): Promise<T | undefined> {
    checkOptionNames(options, 'checkpoint.load');
    const memory = this.#memory;
    if (!memory) return undefined;
    const { attempt } = memory;
    const signal = options.signal ?? memory.signal;
    return memory.tolerating(async () => {
      attempt.ensureOpen('load a checkpoint');
      for (let sequence = this.#saved; sequence >= 0; sequence--) {
        const found = await load(attempt, { attempt: attempt.number, sequence }, { signal });
        if (found) return found.value as T;
      }
      for (const saved of (await memory.earlier.records({ signal })).checkpoints) {
        const found = await load(attempt, saved, { signal });
        if (found) return found.value as T;
      }
      return undefined;
    });
  }
}

/** The value of a checkpoint, unless it counts for none (model: `replay`). */
async function load(
  attempt: OpenAttempt,
  { attempt: number, sequence }: SavedCheckpoint,
  options: CallOptions,
): Promise<{ value: unknown } | undefined> {
  const { path, context } = attempt;
  const { storage } = context.content;
  const name = checkpointName(path, number, sequence);
  const what = storage.uri(name);
  try {
    const object = await storage.get(name, { ...options, maxBytes: MAX_CHECKPOINT_RECORD_BYTES });
    if (!object) return undefined; // a save that failed, or it was deleted since it was listed
    const { table } = decodeCheckpoint(object.body, what, checkpointSubject(path, number, sequence));
    const view = await rowsOf(attempt, number, table, what, options);
    return { value: await view.load(view.entry(CHECKPOINT_ROW), options) };
  } catch (error) {
    if (!isStowageError(error, ...GONE, 'ARTIFACT_NOT_FOUND')) throw error;
    notLoaded.publish({ record: name, error } satisfies CheckpointNotLoaded);
    return undefined;
  }
}
