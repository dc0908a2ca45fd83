import { StowageError } from '../../errors.ts';
import type { ObjectKeys } from '../bucket/keys.ts';
import { TriedOnce } from '../object-store/tried-once.ts';
import { Crc32c } from './crc32c.ts';
import type { NewObject } from './new-object.ts';
import type { CheckedGcsOptions } from './options.ts';
import type { GcsRequests } from './requests.ts';
import { putObject } from './simple-upload.ts';
import { UploadSession } from './upload-session.ts';

const NAME = 'conditional-writes';
const BODY = Buffer.from(
  'Stowage wrote this to see whether the server honours conditional writes. Nothing reads it.\n',
);
/** A generation that no object has any more. */
const NO_GENERATION = '1';

/**
 * Makes sure, once and before the first write that relies on it, that the server honours conditions: emulators took them
 * and ignored them for years. What tries them out is an object below `tmp/`, which no listing shows; it stays, so that
 * later it costs one request. Reading tries nothing, so that readers need no permission to write. Google is taken at its
 * word.
 */
export class ConditionalWrites {
  readonly #requests: GcsRequests;
  readonly #options: CheckedGcsOptions;
  readonly #key: string;
  readonly #trials = new TriedOnce();

  constructor(requests: GcsRequests, keys: ObjectKeys, options: CheckedGcsOptions) {
    this.#requests = requests;
    this.#options = options;
    this.#key = keys.reservedKeyOf(NAME);
  }

  /** `ifGenerationMatch=0` for an object that goes by one request. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureCreate(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryCreate, signal);
  }

  /** `ifGenerationMatch=0` for an object that goes in parts. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureSession(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#trySession, signal);
  }

  /** `ifGenerationMatch=<generation>`. @throws StowageError `STORAGE_UNSUPPORTED`, `ABORTED` */
  ensureReplace(signal: AbortSignal | undefined): Promise<void> {
    return this.#ensure(this.#tryReplace, signal);
  }

  async #ensure(trial: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    if (!this.#requests.isGoogle) await this.#trials.ensure(trial, signal);
  }

  readonly #tryCreate = async (): Promise<void> => {
    // The first one may find that the object is there: then the server has shown already that it looks.
    const isHonoured = !(await this.#put('0')) || !(await this.#put('0'));
    if (!isHonoured) throw this.#unsupported('ifGenerationMatch=0');
  };

  readonly #tryReplace = async (): Promise<void> => {
    await this.#ensure(this.#tryCreate);
    if (await this.#put(NO_GENERATION)) throw this.#unsupported('ifGenerationMatch');
  };

  readonly #trySession = async (): Promise<void> => {
    await this.#ensure(this.#tryCreate);
    const call = { operation: 'create', name: `tmp/${NAME}` };
    const session = await UploadSession.begin(this.#requests, this.#object('0'), call, this.#options);
    if (!session) return;
    const whole = { bytes: BODY.length, crc32c: new Crc32c().update(BODY).toString() };
    const { state } = await session.send(BODY, 0, whole).catch(async (error: unknown) => {
      await session.cancel();
      throw error;
    });
    if (state !== 'refused') throw this.#unsupported('ifGenerationMatch=0 of a resumable upload');
  };

  /** Whether the server wrote the object, whatever the condition. */
  async #put(ifGenerationMatch: string): Promise<boolean> {
    const call = { operation: 'create', name: `tmp/${NAME}` };
    const object = this.#object(ifGenerationMatch);
    return (await putObject(this.#requests, object, BODY, call, this.#options)) !== undefined;
  }

  #object(ifGenerationMatch: string): NewObject {
    return { key: this.#key, contentType: 'text/plain; charset=UTF-8', ifGenerationMatch };
  }

  #unsupported(what: string): StowageError {
    const { place } = this.#requests;
    return new StowageError(
      'STORAGE_UNSUPPORTED',
      `The server of ${place} ignores ${what}. Of several writers that create one object each would believe to have ` +
        'done it, and the last one would destroy what the others wrote. Use Google Cloud Storage, or an emulator that ' +
        'honours it (a current fake-gcs-server).',
      { details: { place, ignored: what } },
    );
  }
}
