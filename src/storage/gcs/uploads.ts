import { randomBytes } from 'node:crypto';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { StowageError } from '../../errors.ts';
import { isStream } from '../../streams/body-stream.ts';
import { preconditionFailed } from '../bucket/errors.ts';
import { TransferBudget, transferParts } from '../bucket/transfers.ts';
import type { CreateOptions, OverwriteOptions, RepeatStep } from '../contract.ts';
import type { Target } from '../object-store/object-storage.ts';
import { createOwn } from '../object-store/own-writes.ts';
import { sendBytes, sendStream, type WaysToSend } from '../object-store/send-by-size.ts';
import { UploadsUnderWay } from '../object-store/uploads-under-way.ts';
import type { ConditionalWrites } from './conditional-writes.ts';
import { Crc32c } from './crc32c.ts';
import { deleteObject } from './deletes.ts';
import type { GcsDownloads } from './downloads.ts';
import { changedError } from './errors.ts';
import type { NewObject } from './new-object.ts';
import type { CheckedGcsOptions } from './options.ts';
import type { GcsCall, GcsRequests } from './requests.ts';
import { writeIdOf } from './resource.ts';
import { putObject, type Sent } from './simple-upload.ts';
import { type Progress, UploadSession } from './upload-session.ts';

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';
/** What a generation looks like; `0` would mean that there must be no object. */
const GENERATION = /^[1-9]\d{0,18}$/;

/** What is being created, and how its requests are sent. */
interface Creating extends Target {
  object: NewObject;
  repeat: RepeatStep;
  /** Aborted by the caller, or by the end of the storage. */
  signal: AbortSignal;
  /** Follows it, and is aborted as well by a part that ends the upload. */
  stop: LinkedAbort;
}

/** Bytes of an upload in parts, and whether they end it. */
interface PartOfUpload {
  bytes: Uint8Array;
  offset: number;
  isLast: boolean;
}

/** Thrown to stop an upload in parts whose session ended before its last part. */
class EndedEarly extends Error {}

/** What an upload uses beside its requests. */
export interface UploadParts {
  downloads: GcsDownloads;
  conditions: ConditionalWrites;
  budget: TransferBudget;
  options: CheckedGcsOptions;
}

/** Writes objects: small ones by one request, large ones in parts, one after the other. */
export class GcsUploads {
  readonly #requests: GcsRequests;
  readonly #downloads: GcsDownloads;
  readonly #conditions: ConditionalWrites;
  readonly #budget: TransferBudget;
  readonly #options: CheckedGcsOptions;
  readonly #underWay = new UploadsUnderWay('gcs');

  constructor(requests: GcsRequests, { downloads, conditions, budget, options }: UploadParts) {
    this.#requests = requests;
    this.#downloads = downloads;
    this.#conditions = conditions;
    this.#budget = budget;
    this.#options = options;
  }

  async create(
    target: Target,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions,
  ): Promise<boolean> {
    const { contentType = DEFAULT_CONTENT_TYPE, repeatStep: repeat = (step) => step(), signal } = options;
    checkContentType(contentType);
    const object = { key: target.key, contentType, ifGenerationMatch: '0' };
    return this.#underWay.run(signal, async (call) => {
      const stop = new LinkedAbort(call.signal);
      const creating = { ...target, object, repeat, signal: call.signal, stop };
      await this.#conditions.ensureCreate(stop.signal);
      if (!isStream(body)) return sendBytes(body, this.#waysOf(creating));
      const own = withWriteId(creating);
      const byOneRequest = (first: Uint8Array): Promise<boolean> =>
        createOwn(
          repeat,
          () => this.#put(own, first),
          () => this.#isOwn(own),
        );
      return sendStream(body, stop.signal, { ...this.#waysOf(own), byOneRequest });
    });
  }

  async overwrite(target: Target, body: Uint8Array, options: OverwriteOptions): Promise<string> {
    const { ifMatch, signal } = options;
    const { name, key } = target;
    if (ifMatch !== undefined) {
      if (!isGeneration(ifMatch)) throw preconditionFailed(name, ifMatch);
      await this.#conditions.ensureReplace(signal);
    }
    const call = { operation: 'overwrite', name, signal };
    const object = { key, contentType: DEFAULT_CONTENT_TYPE, ifGenerationMatch: ifMatch };
    const sent = await putObject(this.#requests, object, body, call, this.#options);
    if (!sent) throw preconditionFailed(name, ifMatch ?? '');
    return this.#verified(target, sent, call);
  }

  /** Ends what is under way, and resolves when its unfinished uploads are gone. */
  close(): Promise<void> {
    return this.#underWay.close();
  }

  #waysOf(creating: Creating): WaysToSend {
    return {
      bytesAt: () => this.#options.partBytes,
      byOneRequest: (body) => this.#put(creating, body),
      inParts: (parts) => this.#createInParts(withWriteId(creating), parts),
    };
  }

  async #put(creating: Creating, body: Uint8Array): Promise<boolean> {
    const call = callOf(creating);
    const sent = await putObject(this.#requests, creating.object, body, call, this.#options);
    if (!sent) return false;
    await this.#verified(creating, sent, call);
    return true;
  }

  /** The object comes to be with the last part. However it ends, no session is left. */
  async #createInParts(creating: Creating, parts: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { object, repeat } = creating;
    const call = callOf(creating);
    await repeat(() => this.#conditions.ensureSession(creating.stop.signal));
    const session = await repeat(() => UploadSession.begin(this.#requests, object, call, this.#options));
    if (!session) return false;
    let isCreated = false;
    try {
      isCreated = await this.#sendParts(creating, session, parts);
      return isCreated;
    } finally {
      if (!isCreated) await session.cancel();
    }
  }

  /** One part is sent while the next one is read. */
  async #sendParts(
    creating: Creating,
    session: UploadSession,
    parts: AsyncIterable<Uint8Array>,
  ): Promise<boolean> {
    const { partBytes } = this.#options;
    const checksum = new Crc32c();
    let offset = 0;
    let isWhole = false;
    let progress: Progress = { state: 'open', keptBytes: 0 };
    const send = async (bytes: Uint8Array, isLast: boolean): Promise<void> => {
      checksum.update(bytes);
      progress = await this.#sendPart(creating, session, { bytes, offset, isLast }, checksum);
      offset += bytes.length;
      isWhole = isLast;
    };
    const move = async (bytes: Uint8Array): Promise<void> => {
      // A part that is not full is the last one. A full one may be, which is known only when no other follows.
      await send(bytes, bytes.length < partBytes);
      if (progress.state !== 'open' && !isWhole) throw new EndedEarly();
    };
    const budget = new TransferBudget(partBytes);
    try {
      await transferParts({ parts, bytesOf: () => partBytes, move, budget, stop: creating.stop });
      if (!isWhole) await send(new Uint8Array(0), true);
    } catch (error) {
      if (!(error instanceof EndedEarly)) throw error;
    }
    const sent = { bytes: isWhole ? offset : Number.NaN, crc32c: checksum.toString() };
    return this.#outcome(creating, progress, sent);
  }

  /** Sends a part until the service has kept all of it; again from where it stopped, if a request fails. */
  #sendPart(
    { repeat, stop, name }: Creating,
    session: UploadSession,
    { bytes, offset, isLast }: PartOfUpload,
    checksum: Crc32c,
  ): Promise<Progress> {
    const end = offset + bytes.length;
    const whole = isLast ? { bytes: end, crc32c: checksum.toString() } : undefined;
    let isRepeated = false;
    return repeat(async () => {
      const free = await this.#budget.take(bytes.length, stop.signal);
      try {
        let progress: Progress = isRepeated ? await session.progress() : { state: 'open', keptBytes: offset };
        isRepeated = true;
        while (progress.state === 'open' && (isLast || progress.keptBytes !== end)) {
          const from = progress.keptBytes;
          // The service lost what it had, or has more than it was sent: nothing can be added to that.
          if (from < offset || from > end) return { state: 'gone' };
          progress = await session.send(bytes.subarray(from - offset), from, whole);
          if (progress.state === 'open' && progress.keptBytes <= from) throw stalled(name);
        }
        return progress;
      } finally {
        free();
      }
    });
  }

  async #outcome(creating: Creating, progress: Progress, sent: Omit<Sent, 'resource'>): Promise<boolean> {
    if (progress.state === 'refused') return false;
    if (progress.state === 'created') {
      await this.#verified(creating, { ...sent, resource: progress.resource }, callOf(creating));
      return true;
    }
    const isOwn = await creating.repeat(() => this.#isOwn(creating));
    if (isOwn !== undefined) return isOwn;
    throw sessionGone(creating.name);
  }

  /** Whether the object is what this very write created; `undefined` where there is none. */
  async #isOwn({ signal, object, name, key }: Creating): Promise<boolean | undefined> {
    const resource = await this.#downloads.resource({ name, key }, { signal });
    return resource && writeIdOf(resource) === object.writeId;
  }

  /** The generation of what was written, once the service says that it is what was sent. What is not is deleted again. */
  async #verified({ name, key }: Target, { bytes, crc32c, resource }: Sent, call: GcsCall): Promise<string> {
    const { generation } = resource;
    if (generation === undefined) throw this.#requests.notGcs('an object without a generation', call);
    if (Number(resource.size) === bytes && resource.crc32c === crc32c) return generation;
    await deleteObject(this.#requests, key, { operation: 'delete', name }, generation);
    const stored = `${resource.size} of ${resource.crc32c}`;
    throw changedError(`sent ${bytes} bytes of ${crc32c}, stored ${stored}, and deleted them again`, {
      operation: call.operation,
      name,
      place: this.#requests.place,
    });
  }
}

function callOf({ name, stop }: Creating): GcsCall {
  return { operation: 'create', name, signal: stop.signal };
}

function withWriteId(creating: Creating): Creating {
  return { ...creating, object: { ...creating.object, writeId: randomBytes(12).toString('hex') } };
}

/** It becomes part of a header. */
function checkContentType(contentType: string): void {
  if (/^[\x20-\x7e]+$/.test(contentType)) return;
  throw new StowageError(
    'INVALID_ARGUMENT',
    `${JSON.stringify(contentType)} is no media type; write one like "text/html; charset=utf-8".`,
    { details: { contentType: String(contentType) } },
  );
}

/** A version of another form was never one of this storage's, and the service would call it a mistake. */
function isGeneration(version: string): boolean {
  return GENERATION.test(version) && BigInt(version) < 2n ** 63n;
}

function stalled(name: string): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `The service took none of the bytes of "${name}" that it was sent; try again.`,
    { details: { operation: 'create', name } },
  );
}

function sessionGone(name: string): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `The upload of "${name}" ended before it was whole: its session broke, or it took more than a week. Upload it again.`,
    { details: { operation: 'create', name } },
  );
}
