import type { DriverCall, PartPosition, PartsUpload } from '../bucket/driver.ts';
import { BUSY, DriverError } from '../bucket/errors.ts';
import { Crc32c } from './crc32c.ts';
import { SESSION_GONE } from './errors.ts';
import type { HttpAnswer } from './http.ts';
import { type GcsRequests, jsonOf, type ObjectResource } from './requests.ts';

/** The progress of an upload. */
type Progress =
  /** So many bytes are kept; more are expected. */
  | { state: 'open'; keptBytes: number }
  | { state: 'created'; resource: ObjectResource }
  /** The object's generation was not the one asked for. */
  | { state: 'refused' }
  /** The session is over, and does not say how it ended. */
  | { state: 'gone' };

type Verify = (stored: ObjectResource, bytes: number, crc32c: string) => Promise<unknown>;

const KEPT = /^bytes=0-(\d+)$/;
const NOTHING = new Uint8Array(0);

/**
 * A resumable upload: parts are sent one after the other, each again from where the service's own count says, and with the
 * last one the object comes to be. A session that nobody ends is invisible, and expires after a week.
 */
export class UploadSession implements PartsUpload {
  readonly #requests: GcsRequests;
  readonly #url: string;
  readonly #verify: Verify;
  readonly #checksum = new Crc32c();
  /** Length of the parts that were given. */
  #bytes = 0;
  /** The offset of the part that was sent last. */
  #sentAt: number | undefined;
  #progress: Progress = { state: 'open', keptBytes: 0 };

  /** @param verify compares what is stored with length and checksum of what was sent */
  constructor(requests: GcsRequests, url: string, verify: Verify) {
    this.#requests = requests;
    this.#url = url;
    this.#verify = verify;
  }

  async send(part: Uint8Array, { offset, isLast }: PartPosition, call: DriverCall): Promise<'sent' | 'over'> {
    if (offset === this.#bytes) {
      this.#checksum.update(part);
      this.#bytes += part.length;
    }
    await this.#bring(part, offset, isLast, call);
    return isLast || this.#progress.state === 'open' ? 'sent' : 'over';
  }

  /** A full part may have been the last one, which is known only when no other follows. */
  async complete(call: DriverCall): Promise<void> {
    if (this.#progress.state === 'open') await this.#bring(NOTHING, this.#bytes, true, call);
    const progress = this.#progress;
    if (progress.state === 'refused')
      throw new DriverError(SESSION_GONE, 'it exists', { refusal: 'refused' });
    if (progress.state !== 'created') {
      throw new DriverError(SESSION_GONE, 'the session is over', { refusal: 'contested' });
    }
    await this.#verify(progress.resource, this.#bytes, this.#checksum.toString());
  }

  /** If even that fails, the session stays until it expires. */
  async abandon({ signal }: DriverCall): Promise<void> {
    const request = { method: 'DELETE' as const, url: this.#url };
    const { body } = await this.#requests.send(request, signal, [404, 410, 412, 499]);
    body.resume();
  }

  /** Sends bytes that belong at `offset` until the service has kept all of them; again from where it stopped, if a request failed. */
  async #bring(bytes: Uint8Array, offset: number, isLast: boolean, call: DriverCall): Promise<void> {
    const end = offset + bytes.length;
    const wasSent = this.#sentAt === offset;
    this.#sentAt = offset;
    let progress: Progress = wasSent ? await this.#ask(call) : { state: 'open', keptBytes: offset };
    while (progress.state === 'open' && (isLast || progress.keptBytes !== end)) {
      const from = progress.keptBytes;
      // The service lost what it had, or has more than it was sent: nothing can be added to that.
      if (from < offset || from > end) progress = { state: 'gone' };
      else progress = await this.#put(bytes.subarray(from - offset), from, isLast ? end : undefined, call);
      if (progress.state === 'open' && progress.keptBytes <= from) {
        throw new DriverError(BUSY, 'it took none of the bytes that it was sent');
      }
    }
    this.#progress = progress;
  }

  /** Asks for its progress, after a request whose answer was lost. */
  #ask(call: DriverCall): Promise<Progress> {
    return this.#exchange({ 'Content-Range': 'bytes */*' }, [], call);
  }

  /** @param total length of the whole object, with its last bytes only: if length and checksum are right it comes to be */
  #put(bytes: Uint8Array, offset: number, total: number | undefined, call: DriverCall): Promise<Progress> {
    const range = bytes.length === 0 ? '*' : `${offset}-${offset + bytes.length - 1}`;
    const headers = {
      'Content-Range': `bytes ${range}/${total ?? '*'}`,
      ...(total !== undefined && { 'X-Goog-Hash': `crc32c=${this.#checksum}` }),
    };
    return this.#exchange(headers, [bytes], call);
  }

  async #exchange(
    headers: Readonly<Record<string, string>>,
    body: readonly Uint8Array[],
    { signal }: DriverCall,
  ): Promise<Progress> {
    const request = { method: 'PUT' as const, url: this.#url, headers, body };
    const answer = await this.#requests.send(request, signal, [308, 404, 410, 412]);
    const { status } = answer;
    if (status >= 200 && status < 300) return { state: 'created', resource: await jsonOf(answer) };
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
