import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type {
  ContainerClient,
  ContainerListBlobFlatSegmentResponse,
  ContainerListBlobHierarchySegmentResponse,
} from '@azure/storage-blob';
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
import { DriverError, type Failure } from '../bucket/errors.ts';
import { MAX_PAGE_ENTRIES } from '../list-pages.ts';
import { blobUri } from './address.ts';
import { BlobNames, isListedEarly } from './blob-names.ts';
import { type AzureConnection, connect } from './client.ts';
import { classify, HIERARCHY, NOT_AZURE } from './errors.ts';
import type { CheckedAzureOptions } from './options.ts';

/** The metadata in which a write leaves its own mark. */
const WRITE_ID = 'writeid';
/** A version is the ETag, which changes with every write. What is no ETag is no version: "*" would be any. */
const VERSION = /^"[^"]+"$/;
/** The most blobs that Azure gives by one request. */
const MAX_BLOBS_OF_A_REQUEST = 5000;
/** The length of the ids of blocks. All of a blob must be of one length, those of other writers and releases too: this can never change. */
const NUMBER_DIGITS = 6;

type Page = ContainerListBlobFlatSegmentResponse | ContainerListBlobHierarchySegmentResponse;

/** Speaks to one container by Azure's SDK. The key of an object is the name of its blob. */
export class AzureDriver implements BucketDriver {
  readonly type = 'azure';
  readonly place: string;
  readonly endpoint: string;
  readonly keys: BlobNames;
  readonly limits: BucketLimits = {
    // Azure's batches take only 256, and count each as a request as well.
    deleteKeys: 1,
    deletesAtATime: 32,
    partsInOrder: false,
    readsWhole: false,
    listsAfter: false,
  };
  readonly conditions: ConditionsOfWrites = {
    trust: 'trusted',
    noVersion: '"0x0"',
    names: { put: 'If-None-Match', upload: 'If-None-Match', replace: 'If-Match' },
    remedy: 'Use Azure Blob Storage.',
  };
  readonly container: ContainerClient;
  readonly #connection: AzureConnection;
  readonly #options: CheckedAzureOptions;

  private constructor(options: CheckedAzureOptions, keys: BlobNames, connection: AzureConnection) {
    const { url, containerName } = connection.container;
    const { origin, pathname, host } = new URL(url);
    this.keys = keys;
    this.container = connection.container;
    this.place = `container "${containerName}" at ${host}`;
    this.endpoint = origin + pathname.replace(/\/[^/]*\/?$/, '');
    this.#connection = connection;
    this.#options = options;
  }

  /** Sends nothing. @throws StowageError `INVALID_ARGUMENT`, `STORAGE_CREDENTIALS`, `STORAGE_UNSUPPORTED` */
  static async open(options: CheckedAzureOptions): Promise<AzureDriver> {
    const keys = new BlobNames(options.prefix); // refused before anything is loaded
    return new AzureDriver(options, keys, await connect(options));
  }

  uriOf(key: string): string {
    return blobUri(this.container.url, key);
  }

  async read(key: string, { range, ifVersion }: ReadRequest, { signal }: DriverCall): Promise<Reading> {
    const answer = await this.container.getBlobClient(key).download(range?.offset, range?.length, {
      abortSignal: signal,
      maxRetryRequests: 0,
      ...(ifVersion !== undefined && { conditions: { ifMatch: ifVersion } }),
    });
    const body = answer.readableStreamBody as Readable;
    // It may break before anybody reads it, or while nobody does.
    body.on('error', () => {});
    return { ...headOf(answer), ...spanOf(answer.contentRange, answer.contentLength), body };
  }

  async head(key: string, { signal }: DriverCall): Promise<ObjectHead> {
    return headOf(await this.container.getBlobClient(key).getProperties({ abortSignal: signal }));
  }

  async put(object: NewObject, body: Uint8Array, { signal }: DriverCall): Promise<string> {
    const { etag } = await this.container.getBlockBlobClient(object.key).upload(body, body.length, {
      abortSignal: signal,
      ...this.written(object),
      ...checksumOf(body),
    });
    if (!etag) throw notAzure('a write without an ETag');
    return etag;
  }

  async upload(object: NewObject): Promise<PartsUpload> {
    return new AzureUpload(this, object);
  }

  /**
   * One page. Azure's own `startFrom` is newer than many servers, which ignore it, and has rules of its own for folders: what comes
   * before is asked for, in the largest pages, and left out.
   */
  async list(query: ListQuery, { signal }: DriverCall): Promise<DriverPage> {
    const { prefix, delimiter, token, isSkipping, wanted } = query;
    const settings = {
      maxPageSize: isSkipping ? MAX_BLOBS_OF_A_REQUEST : Math.min(wanted, MAX_PAGE_ENTRIES),
      ...(token !== undefined && { continuationToken: token }),
    };
    const options = { prefix, abortSignal: signal };
    const pages = delimiter
      ? this.container.listBlobsByHierarchy(delimiter, options).byPage(settings)
      : this.container.listBlobsFlat(options).byPage(settings);
    const page: Page = (await pages.next()).value;
    const { segment, continuationToken, _response } = page;
    const told = _response.bodyAsText;
    if (told.includes('<ResourceType>')) throw hierarchy();
    if (!/<NextMarker\s*\/?>/.test(told)) throw notAzure('a listing that does not say whether it is whole');
    const isEarly = (key: string): boolean => isListedEarly(key.slice(prefix.length));
    const blobs = segment.blobItems.map(({ name: key, properties: { contentLength, lastModified } }) => ({
      key,
      isEarly: isEarly(key),
      bytes: contentLength,
      modifiedAtMs: lastModified.getTime(),
    }));
    const prefixes = 'blobPrefixes' in segment ? (segment.blobPrefixes ?? []) : [];
    const folders = prefixes.map(({ name: key }) => ({ key, isFolder: true, isEarly: isEarly(key) }));
    return { entries: [...blobs, ...folders], token: continuationToken || undefined };
  }

  async deleteMany(keys: readonly string[], { signal }: DriverCall): Promise<Deletion> {
    const [key = ''] = keys;
    // Any status but 202 is an error of the SDK.
    await this.container.getBlobClient(key).delete({ abortSignal: signal });
    return { deleted: keys };
  }

  classify(error: Error, { operation }: { operation: string; name: string }): Failure {
    return classify(error, operation, this.#connection);
  }

  isVersion(version: string): boolean {
    return VERSION.test(version);
  }

  close(): void {
    this.#connection.close();
  }

  /** The headers of a blob beside its bytes. */
  written({ contentType, writeId, condition }: NewObject): object {
    const { tier } = this.#options;
    return {
      blobHTTPHeaders: { blobContentType: contentType },
      metadata: { [WRITE_ID]: writeId },
      ...(tier !== undefined && { tier }),
      ...(condition === 'absent' && { conditions: { ifNoneMatch: '*' } }),
      ...(typeof condition === 'object' && { conditions: { ifMatch: condition.ifVersion } }),
    };
  }
}

/**
 * A blob that goes in blocks, side by side, and becomes visible when their list is committed. Blocks that went up in vain stay behind,
 * invisible: Azure has no way to remove them, and discards them when the blob is created, or a week after the last one came.
 */
class AzureUpload implements PartsUpload {
  readonly #driver: AzureDriver;
  readonly #object: NewObject;
  readonly #ids: string[] = [];

  constructor(driver: AzureDriver, object: NewObject) {
    this.#driver = driver;
    this.#object = object;
  }

  /** Blocks of several writers of one name lie together; the write's own id keeps them apart. */
  async send(block: Uint8Array, { index }: { index: number }, { signal }: DriverCall): Promise<'sent'> {
    const { key, writeId } = this.#object;
    const id = Buffer.from(`${writeId}-${String(index).padStart(NUMBER_DIGITS, '0')}`).toString('base64');
    await this.#driver.container
      .getBlockBlobClient(key)
      .stageBlock(id, block, block.length, { abortSignal: signal, ...checksumOf(block) });
    this.#ids[index] = id;
    return 'sent';
  }

  async complete({ signal }: DriverCall): Promise<void> {
    const { etag } = await this.#driver.container
      .getBlockBlobClient(this.#object.key)
      .commitBlockList(this.#ids, { abortSignal: signal, ...this.#driver.written(this.#object) });
    if (!etag) throw notAzure('a list of blocks that was committed, without an ETag');
  }

  async abandon(): Promise<void> {}
}

/** @throws DriverError of an account with a hierarchical namespace, and of what is no answer of Azure */
function headOf(answer: {
  etag?: string;
  lastModified?: Date;
  contentLength?: number;
  metadata?: Record<string, string>;
  _response: { headers: { get(name: string): string | undefined } };
}): ObjectHead {
  const { etag, lastModified, contentLength = Number.NaN, metadata, _response } = answer;
  if (_response.headers.get('x-ms-resource-type') !== undefined) throw hierarchy();
  if (!etag || !lastModified) throw notAzure('a blob without an ETag or a time');
  return {
    bytes: contentLength,
    modifiedAtMs: lastModified.getTime(),
    version: etag,
    writeId: metadata?.[WRITE_ID],
  };
}

/** The checksum that the service compares with the bytes that arrive. */
function checksumOf(bytes: Uint8Array): { transactionalContentMD5: Uint8Array } {
  return { transactionalContentMD5: createHash('md5').update(bytes).digest() };
}

/** Folders are blobs of their own there, which outlive what lay in them, and listings go folder by folder. */
function hierarchy(): DriverError {
  return new DriverError(HIERARCHY, 'what it says of a blob');
}

function notAzure(said: string): DriverError {
  return new DriverError(NOT_AZURE, said);
}
