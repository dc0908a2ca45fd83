import { orAborted } from '../../async/next-or-aborted.ts';
import { StowageError } from '../../errors.ts';
import { type BucketCalls, Refused } from './calls.ts';
import type { BucketDriver, DriverCall, NewObject } from './driver.ts';

const NAME = 'conditional-writes';
const BODY: Uint8Array = Buffer.from(
  'Stowage wrote this to see whether the server honours conditional writes. Nothing reads it.\n',
);
const REQUEST = { operation: 'create', name: `tmp/${NAME}` };
const WHOLE = { index: 0, offset: 0, isLast: true };

type Trial = () => Promise<void>;

/**
 * Makes sure, once and before the first write that relies on it, that the server honours conditions: many servers and emulators take
 * them and ignore them. What tries them out is an object below `tmp/`, which no listing shows; it stays, so that later it costs one
 * request. Reading tries nothing, so that readers need no permission to write. The services themselves are taken at their word, and a
 * single writer does without.
 */
export class ConditionalWrites {
  readonly #driver: BucketDriver;
  readonly #calls: BucketCalls;
  readonly #tried = new Map<Trial, Promise<void>>();

  constructor(driver: BucketDriver, calls: BucketCalls) {
    this.#driver = driver;
    this.#calls = calls;
  }

  /** Makes sure for an object that must be absent, by one request. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensurePut(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryPut, signal);
  }

  /** Makes sure for an object that must be absent, in parts. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureUpload(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryUpload, signal);
  }

  /** Makes sure for a version that must be there. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureReplace(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryReplace, signal);
  }

  /** A trial belongs to no call: whoever stops waiting leaves it to the others. It is made again only after it failed. */
  async #ensure(trial: Trial, signal?: AbortSignal): Promise<void> {
    if (this.#driver.conditions.trust !== 'tried') return;
    const trying = this.#tried.get(trial) ?? trial();
    if (!this.#tried.has(trial)) {
      this.#tried.set(trial, trying);
      trying.catch(() => this.#tried.delete(trial));
    }
    await orAborted(() => trying, signal);
  }

  readonly #tryPut: Trial = async () => {
    // The first one may find that the object is there: then the server has shown already that it looks.
    const isHonoured = !(await this.#put('absent')) || !(await this.#put('absent'));
    if (!isHonoured) throw this.#unsupported('put');
  };

  readonly #tryReplace: Trial = async () => {
    await this.#ensure(this.#tryPut);
    const ifVersion = this.#driver.conditions.noVersion;
    if (await this.#put({ ifVersion })) throw this.#unsupported('replace');
  };

  readonly #tryUpload: Trial = async () => {
    await this.#ensure(this.#tryPut);
    const begin = (call: DriverCall) => this.#driver.upload(this.#object('absent'), call);
    const upload = await this.#calls.send(REQUEST, begin, 'refused');
    if (upload instanceof Refused) return;
    const abandon = () => this.#calls.send(REQUEST, (call) => upload.abandon(call));
    let completed: unknown;
    try {
      await this.#calls.send(REQUEST, (call) => upload.send(BODY, WHOLE, call));
      completed = await this.#calls.send(REQUEST, (call) => upload.complete(call), 'refused');
    } catch (error) {
      // Nobody looks for unfinished uploads below tmp/. What went wrong before is what has to be told.
      await abandon().catch(() => {});
      throw error;
    }
    if (!(completed instanceof Refused)) throw this.#unsupported('upload');
    await abandon();
  };

  /** Tells whether the server wrote the object, whatever the condition. */
  async #put(condition: NewObject['condition']): Promise<boolean> {
    const put = (call: DriverCall) => this.#driver.put(this.#object(condition), BODY, call);
    return !((await this.#calls.send(REQUEST, put, 'refused')) instanceof Refused);
  }

  #object(condition: NewObject['condition']): NewObject {
    const key = this.#driver.keys.reservedKeyOf(NAME);
    return { key, contentType: 'text/plain; charset=UTF-8', writeId: NAME, condition };
  }

  #unsupported(condition: 'put' | 'upload' | 'replace'): StowageError {
    const { place, conditions } = this.#driver;
    const ignored = conditions.names[condition];
    return new StowageError(
      'STORAGE_UNSUPPORTED',
      `The server of ${place} ignores ${ignored}. Of several writers that create one object each would believe to have ` +
        `done it, and the last one would destroy what the others wrote. ${conditions.remedy}`,
      { details: { place, ignored } },
    );
  }
}
