import { LinkedAbort } from '../../async/linked-abort.ts';
import { isStowageError } from '../../errors.ts';
import { closedError } from '../checks.ts';

/** The uploads of one storage that have begun and not ended: its end is theirs. */
export class UploadsUnderWay {
  readonly #type: string;
  readonly #underWay = new Map<LinkedAbort, Promise<unknown>>();

  /** @param type that of the storage */
  constructor(type: string) {
    this.#type = type;
  }

  /** Runs an upload, which ends with the signal of `call`. @throws StowageError `STORAGE_CLOSED` when the storage ends it */
  async run<T>(signal: AbortSignal | undefined, upload: (call: LinkedAbort) => Promise<T>): Promise<T> {
    const call = new LinkedAbort(signal);
    const uploading = upload(call);
    this.#underWay.set(call, uploading);
    try {
      return await uploading;
    } catch (error) {
      throw isStowageError(call.signal.reason, 'STORAGE_CLOSED') ? call.signal.reason : error;
    } finally {
      this.#underWay.delete(call);
      call.release();
    }
  }

  /** Ends what is under way, and resolves when that has cleaned up. */
  async close(): Promise<void> {
    const ending = [...this.#underWay.values()];
    for (const call of this.#underWay.keys()) call.abort(closedError(this.#type));
    await Promise.allSettled(ending);
  }
}
