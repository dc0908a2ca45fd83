import type { HttpAnswer } from './http.ts';
import { metadataOfNew, type NewObject, queryOfNew } from './new-object.ts';
import type { CheckedGcsOptions } from './options.ts';
import type { GcsCall, GcsRequests } from './requests.ts';
import type { ObjectResource } from './resource.ts';

/** How far an upload has come. */
export type Progress =
  /** So many bytes are kept; more are expected. */
  | { state: 'open'; keptBytes: number }
  | { state: 'created'; resource: ObjectResource }
  /** The object's generation was not the one asked for. */
  | { state: 'refused' }
  /** The session is over, and does not say how it ended. */
  | { state: 'gone' };

const MOST_CANCELLING_MS = 10_000;
const KEPT = /^bytes=0-(\d+)$/;

/**
 * A resumable upload: parts are sent one after the other, each again from where the service's own count says, and with the
 * last one the object comes to be. A session that nobody ends is invisible, and expires after a week.
 */
export class UploadSession {
  readonly #requests: GcsRequests;
  readonly #url: string;
  readonly #call: GcsCall;

  private constructor(requests: GcsRequests, url: string, call: GcsCall) {
    this.#requests = requests;
    this.#url = url;
    this.#call = call;
  }

  /** Gives `undefined` where the object's generation is not the one asked for, if the service looks already. */
  static async begin(
    requests: GcsRequests,
    object: NewObject,
    call: GcsCall,
    options: CheckedGcsOptions,
  ): Promise<UploadSession | undefined> {
    const answer = await requests.send(
      {
        ...call,
        method: 'POST',
        url: requests.uploadUrl,
        query: { uploadType: 'resumable', ...queryOfNew(object, options) },
        headers: { 'Content-Type': 'application/json; charset=UTF-8' },
        body: [metadataOfNew(object, options)],
      },
      [412],
    );
    answer.body.resume();
    if (answer.status === 412) return undefined;
    const { location } = answer.headers;
    if (location === undefined || !URL.canParse(location)) {
      throw requests.notGcs('an upload without a session', call);
    }
    return new UploadSession(requests, location, call);
  }

  /**
   * Sends bytes that belong at `offset`.
   *
   * @param whole length and checksum of the whole object, with its last bytes only: if they are right it comes to be
   */
  async send(
    bytes: Uint8Array,
    offset: number,
    whole?: { bytes: number; crc32c: string } | undefined,
  ): Promise<Progress> {
    const range = bytes.length === 0 ? '*' : `${offset}-${offset + bytes.length - 1}`;
    const headers = {
      'Content-Range': `bytes ${range}/${whole?.bytes ?? '*'}`,
      ...(whole && { 'X-Goog-Hash': `crc32c=${whole.crc32c}` }),
    };
    return this.#put(headers, [bytes]);
  }

  /** How far it has come: to be asked after a request of which the answer was lost. */
  async progress(): Promise<Progress> {
    return this.#put({ 'Content-Range': 'bytes */*' }, []);
  }

  /** Ends the session, and frees what it keeps. Where even that fails it stays until it expires. */
  async cancel(): Promise<void> {
    const { name } = this.#call;
    const signal = AbortSignal.timeout(MOST_CANCELLING_MS);
    const call: GcsCall = { operation: 'cancel the upload', name, signal };
    await this.#requests
      .send({ ...call, method: 'DELETE', url: this.#url }, [404, 410, 412, 499])
      .then((answer) => answer.body.resume())
      .catch(() => {});
  }

  async #put(headers: Readonly<Record<string, string>>, body: readonly Uint8Array[]): Promise<Progress> {
    const request = { ...this.#call, method: 'PUT' as const, url: this.#url, headers, body };
    const answer = await this.#requests.send(request, [308, 404, 410, 412]);
    const { status } = answer;
    if (status >= 200 && status < 300) {
      return { state: 'created', resource: await this.#requests.jsonOf(answer, this.#call) };
    }
    answer.body.resume();
    if (status === 308) return { state: 'open', keptBytes: keptBytesOf(answer) };
    return { state: status === 412 ? 'refused' : 'gone' };
  }
}

/** Without a `Range`, nothing is kept yet. */
function keptBytesOf({ headers }: HttpAnswer): number {
  const last = KEPT.exec(headers.range ?? '')?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}
