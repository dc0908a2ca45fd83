import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type {
  CompletedPart,
  GetObjectCommandOutput,
  HeadObjectCommandOutput,
  PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { isError } from '../../errors.ts';
import { storageError } from '../bucket/connection-errors.ts';
import {
  type BucketDriver,
  type BucketLimits,
  type ConditionsOfWrites,
  type Deletion,
  type DriverCall,
  type DriverPage,
  type ListQuery,
  type NewObject,
  type ObjectHead,
  type PartsUpload,
  type Reading,
  type ReadRequest,
  spanOf,
} from '../bucket/driver.ts';
import { DriverError } from '../bucket/errors.ts';
import { ObjectKeys } from '../bucket/keys.ts';
import { ownEndpoint } from '../endpoints.ts';
import { MAX_PAGE_ENTRIES } from '../list-pages.ts';
import { s3Uri } from './address.ts';
import { bucketUrlOf, connect, type S3Connection, type S3Sdk } from './client.ts';
import { classify, failureOfKey, NOT_S3 } from './errors.ts';
import type { CheckedS3Options } from './options.ts';

/** The user metadata in which a write leaves its own mark. */
const WRITE_ID = 'write-id';
/** A version: the mark of its write, if it has one, and its ETag, which is all that S3 itself compares. */
const VERSION = /^(?:([0-9a-f]{24}):)?(.*)$/s;
/** The answer of S3 to a delete. */
const NO_CONTENT = 204;

/** Speaks to one bucket by the AWS SDK. */
export class S3Driver implements BucketDriver {
  readonly type = 's3';
  readonly place: string;
  readonly endpoint: string | undefined;
  readonly keys: ObjectKeys;
  readonly limits: BucketLimits = {
    deleteKeys: 1000,
    deletesAtATime: 1,
    partsInOrder: false,
    readsWhole: true,
    listsAfter: true,
  };
  readonly conditions: ConditionsOfWrites;
  readonly bucket: string;
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  /** True if requests go to AWS itself, which is known to do what it says. */
  readonly isAws: boolean;
  readonly classify: BucketDriver['classify'] = classify;
  readonly #isOwnClient: boolean;
  readonly #options: CheckedS3Options;

  private constructor(options: CheckedS3Options, { sdk, client, isOwn }: S3Connection, url: URL) {
    this.bucket = options.bucket;
    this.keys = new ObjectKeys(options.prefix);
    this.sdk = sdk;
    this.client = client;
    this.#isOwnClient = isOwn;
    this.#options = options;
    this.place = `bucket "${options.bucket}" at ${url.host}`;
    this.endpoint = endpointOf(url, options.bucket);
    this.isAws = /(^|\.)amazonaws\.com(\.cn)?(:\d+)?$/.test(url.host);
    this.conditions = {
      trust: options.singleWriter ? 'absent' : this.isAws ? 'trusted' : 'tried',
      noVersion: '"00000000000000000000000000000000"',
      names: {
        put: 'If-None-Match when an object is put',
        upload: 'If-None-Match when an upload in parts is completed',
        replace: 'If-Match when an object is put',
      },
      remedy:
        'Use a server that honours it (AWS S3, MinIO, Cloudflare R2, versitygw, ...); or, if there is only ever one writer ' +
        'at a time, open the store with singleWriter: true.',
    };
  }

  /** Sends nothing yet, but finds the credentials. @throws StowageError `STORAGE_CREDENTIALS`, `INVALID_ARGUMENT`, `STORAGE_UNSUPPORTED` */
  static async open(options: CheckedS3Options): Promise<S3Driver> {
    new ObjectKeys(options.prefix); // refused before anything is loaded
    const connection = await connect(options);
    const { bucket } = options;
    try {
      return new S3Driver(options, connection, await bucketUrlOf(connection, bucket));
    } catch (error) {
      if (!isError(error)) throw error;
      const request = { operation: 'open', name: bucket, place: `bucket "${bucket}"` };
      throw storageError(classify(error, request), request, false, error);
    }
  }

  uriOf(key: string): string {
    return s3Uri(this.bucket, key);
  }

  async read(key: string, { range, ifVersion }: ReadRequest, { signal }: DriverCall): Promise<Reading> {
    const command = new this.sdk.GetObjectCommand({
      ...this.#at(key),
      ...(range
        ? { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }
        : { ChecksumMode: 'ENABLED' }),
      ...(ifVersion !== undefined && { IfMatch: etagOf(ifVersion) }),
    });
    const answer = await this.client.send(command, { abortSignal: signal });
    const body = answer.Body as Readable;
    // The SDK's check of a body that is given up would end the process, were nobody to listen to its complaint.
    body.on('error', () => {});
    return { ...headOf(answer), ...spanOf(answer.ContentRange, answer.ContentLength), body };
  }

  async head(key: string, { signal }: DriverCall): Promise<ObjectHead> {
    return headOf(
      await this.client.send(new this.sdk.HeadObjectCommand(this.#at(key)), { abortSignal: signal }),
    );
  }

  async put(object: NewObject, body: Uint8Array, { signal }: DriverCall): Promise<string> {
    const input = { ...this.#written(object), ...conditionOf(object), Body: body };
    const { ETag } = await this.client.send(new this.sdk.PutObjectCommand(input), { abortSignal: signal });
    if (!ETag) throw notS3('a write without an ETag');
    return versionOf(ETag, object.writeId);
  }

  async upload(object: NewObject, { signal }: DriverCall): Promise<PartsUpload> {
    const command = new this.sdk.CreateMultipartUploadCommand(this.#written(object));
    const { UploadId } = await this.client.send(command, { abortSignal: signal });
    if (!UploadId) throw notS3('an upload without an id');
    return new S3Upload(this, { ...this.#at(object.key), UploadId }, conditionOf(object));
  }

  async list(query: ListQuery, { signal }: DriverCall): Promise<DriverPage> {
    const command = new this.sdk.ListObjectsV2Command({
      Bucket: this.bucket,
      Prefix: query.prefix,
      StartAfter: query.startAfter,
      Delimiter: query.delimiter,
      MaxKeys: Math.min(query.wanted, MAX_PAGE_ENTRIES),
      ContinuationToken: query.token,
      EncodingType: 'url',
    });
    const answer = await this.client.send(command, { abortSignal: signal });
    const { Contents = [], CommonPrefixes = [], EncodingType, IsTruncated, NextContinuationToken } = answer;
    const decode = EncodingType === 'url' ? urlDecoded : (key: string) => key;
    const objects = Contents.map(({ Key = '', Size, LastModified }) => ({
      key: decode(Key),
      bytes: Size,
      modifiedAtMs: LastModified?.getTime(),
    }));
    const folders = CommonPrefixes.map(({ Prefix = '' }) => ({ key: decode(Prefix), isFolder: true }));
    return { entries: [...objects, ...folders], token: nextOf(IsTruncated, NextContinuationToken) };
  }

  async deleteMany(keys: readonly string[], call: DriverCall): Promise<Deletion> {
    const [only = ''] = keys;
    if (keys.length === 1) {
      const command = new this.sdk.DeleteObjectCommand(this.#at(only));
      const { $metadata } = await this.client.send(command, { abortSignal: call.signal });
      if ($metadata.httpStatusCode !== NO_CONTENT) await this.#expectMissing(only, call);
      return { deleted: keys };
    }
    const Delete = { Objects: keys.map((Key) => ({ Key })) };
    const command = new this.sdk.DeleteObjectsCommand({ Bucket: this.bucket, Delete });
    if (!this.isAws) addMd5(command);
    const { Deleted, Errors = [] } = await this.client.send(command, { abortSignal: call.signal });
    if (!Deleted && Errors.length === 0) throw notS3('a delete of many keys that names none');
    return {
      deleted: (Deleted ?? []).map(({ Key = '' }) => Key),
      failed: Errors.map(({ Key: key = '', Code = '', Message = '' }) => ({
        key,
        failure: failureOfKey(Code, Message),
      })),
    };
  }

  isVersion(): boolean {
    return true;
  }

  close(): void {
    if (this.#isOwnClient) this.client.destroy();
  }

  /** Some servers answer a delete by 200, as a page does that answers whatever is asked. The object tells them apart: it is missing. */
  async #expectMissing(key: string, call: DriverCall): Promise<void> {
    const { body } = await this.read(key, { range: { offset: 0, length: 1 } }, call);
    (body as Readable).destroy();
    throw notS3('a delete after which the object is still there');
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: key };
  }

  #written({ key, contentType, writeId }: NewObject): PutObjectCommandInput {
    const { serverSideEncryption, sseKmsKeyId, storageClass } = this.#options;
    return {
      ...this.#at(key),
      ContentType: contentType,
      Metadata: { [WRITE_ID]: writeId },
      ServerSideEncryption: serverSideEncryption ?? (sseKmsKeyId === undefined ? undefined : 'aws:kms'),
      SSEKMSKeyId: sseKmsKeyId,
      StorageClass: storageClass,
    };
  }
}

type UploadId = { Bucket: string; Key: string; UploadId: string };
type Condition = { IfNoneMatch?: string; IfMatch?: string };

/** An upload in parts, which go side by side. */
class S3Upload implements PartsUpload {
  readonly #driver: S3Driver;
  readonly #upload: UploadId;
  readonly #condition: Condition;
  readonly #parts: CompletedPart[] = [];

  constructor(driver: S3Driver, upload: UploadId, condition: Condition) {
    this.#driver = driver;
    this.#upload = upload;
    this.#condition = condition;
  }

  async send(part: Uint8Array, { index }: { index: number }, { signal }: DriverCall): Promise<'sent'> {
    const { sdk, client } = this.#driver;
    const PartNumber = index + 1;
    const command = new sdk.UploadPartCommand({ ...this.#upload, PartNumber, Body: part });
    const { ETag } = await client.send(command, { abortSignal: signal });
    if (!ETag) throw notS3('a part without an ETag');
    this.#parts[index] = { PartNumber, ETag };
    return 'sent';
  }

  async complete({ signal }: DriverCall): Promise<void> {
    const { sdk, client } = this.#driver;
    const MultipartUpload = { Parts: this.#parts };
    const whole = { ...this.#upload, MultipartUpload, ...this.#condition };
    const { ETag } = await client.send(new sdk.CompleteMultipartUploadCommand(whole), {
      abortSignal: signal,
    });
    if (!ETag) throw notS3('a completion without an ETag');
  }

  async abandon({ signal }: DriverCall): Promise<void> {
    const { sdk, client } = this.#driver;
    await client.send(new sdk.AbortMultipartUploadCommand(this.#upload), { abortSignal: signal });
  }

  /** Fails with `NoSuchUpload` when nothing is. */
  async isLeft({ signal }: DriverCall): Promise<boolean> {
    const { sdk, client } = this.#driver;
    await client.send(new sdk.ListPartsCommand(this.#upload), { abortSignal: signal });
    return true;
  }
}

/**
 * The token of the next page; `undefined` after the last one.
 *
 * @throws DriverError where an answer does not say that it is the last page, nor how to go on
 */
export function nextOf<T>(isTruncated: boolean | undefined, token: T | undefined): T | undefined {
  if (isTruncated === undefined) throw notS3('a listing that does not say whether it is whole');
  if (!isTruncated) return undefined;
  if (token === undefined || token === '')
    throw notS3('a listing that has more, and does not say how to go on');
  return token;
}

function notS3(said: string): DriverError {
  return new DriverError(NOT_S3, said);
}

/** Some page that answers whatever is asked has no ETag. */
function headOf(answer: GetObjectCommandOutput | HeadObjectCommandOutput): ObjectHead {
  const { ETag, ContentLength = Number.NaN, LastModified, Metadata } = answer;
  if (!ETag) throw notS3('an object without an ETag');
  const writeId = Metadata?.[WRITE_ID];
  const version = versionOf(ETag, writeId);
  return { bytes: ContentLength, modifiedAtMs: LastModified?.getTime() ?? 0, version, writeId };
}

/** Two writes of the same bytes have the same ETag; their marks tell them apart. */
function versionOf(etag: string, writeId: string | undefined): string {
  return writeId ? `${writeId}:${etag}` : etag;
}

function etagOf(version: string): string {
  return VERSION.exec(version)?.[2] ?? '';
}

function conditionOf({ condition }: NewObject): Condition {
  if (condition === undefined) return {};
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: etagOf(condition.ifVersion) };
}

function urlDecoded(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}

/** The bucket stands in the host or in the path. */
function endpointOf({ protocol, host, pathname }: URL, bucket: string): string | undefined {
  const server = host.startsWith(`${bucket}.`) ? host.slice(bucket.length + 1) : host;
  const path = pathname.endsWith(`/${bucket}/`) ? pathname.slice(0, -bucket.length - 1) : pathname;
  return ownEndpoint('s3', `${protocol}//${server}${path}`);
}

/** S3 wants a checksum of a delete of many; the SDK sends a CRC32, and servers that are older than it know only `Content-MD5`. */
function addMd5(command: { middlewareStack: { add: (middleware: never, options: never) => void } }): void {
  type Next = (args: { request: { body: string; headers: Record<string, string> } }) => unknown;
  const middleware =
    (next: Next): Next =>
    (args) => {
      args.request.headers['content-md5'] = createHash('md5').update(args.request.body).digest('base64');
      return next(args);
    };
  const options = { step: 'build', priority: 'low', name: 'stowageContentMd5' };
  command.middlewareStack.add(middleware as never, options as never);
}
