import { StowageError } from '../../errors.ts';
import { ANYTHING, FLAG, type OptionTable, oneOf, TEXT } from '../../options/option-table.ts';
import { checkBucketOptions, transferOptions } from '../bucket/options.ts';

/** Options of an `S3Storage`: how its objects are reached and kept. */
export interface S3StorageOptions {
  /** The bucket, which must exist; a name or the ARN of an access point. */
  bucket: string;
  /** The beginning of the keys of all objects, `/`-separated. Default: nothing. */
  prefix?: string | undefined;
  /**
   * The server, for one that is not AWS: `https://<account>.r2.cloudflarestorage.com`, `http://localhost:9000`. Default:
   * what the AWS SDK finds in `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the shared configuration; else AWS.
   */
  endpoint?: string | undefined;
  /** The bucket's region. Default: what the AWS SDK finds (`AWS_REGION`, the profile); with an endpoint, `us-east-1`. */
  region?: string | undefined;
  /** True if the bucket is named in the path rather than the host. Default: with an endpoint `true`, on AWS `false`. */
  forcePathStyle?: boolean | undefined;
  /** Keys, or a provider of them. Default: the AWS SDK's own chain (environment, profiles, SSO, instance roles). */
  credentials?: S3Credentials | (() => Promise<S3Credentials>) | undefined;
  /**
   * An `S3Client` of `@aws-sdk/client-s3` 3 to use, for proxies, agents or signing of one's own. It should have `maxAttempts: 1`, because retries are the
   * business of `RetryStorage`. Closing the storage does not destroy it. Default: one is made from the options above.
   */
  client?: S3ClientOfSdk | undefined;
  /** The encryption of objects at rest: `AES256`, `aws:kms` or `aws:kms:dsse`. Default: as the bucket does. */
  serverSideEncryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined;
  /** The key of AWS KMS to encrypt by; implies `aws:kms`. Default: the account's own. */
  sseKmsKeyId?: string | undefined;
  /** The storage class of what is written; none that has to be restored before it can be read. Default: `STANDARD`. */
  storageClass?: StorageClass | undefined;
  /** The longest time in which nothing is sent or received before a request fails. Default 60,000 (1 minute). */
  requestTimeoutMs?: number | undefined;
  /**
   * The size of the parts in which large objects are moved: 5 MiB to 1 GiB. Those of a stream double in size after every
   * 700, so that 10,000 hold 5 TiB; a service that wants parts of one size (Cloudflare R2) takes streams of at most 700
   * parts. Default 8,388,608 (8 MiB).
   */
  partBytes?: number | undefined;
  /** The most parts of `partBytes` under way at a time, of all calls together, in each direction. Default 8. */
  concurrency?: number | undefined;
  /**
   * True if nobody else writes to the store at the same time, which makes do with servers that cannot create an object
   * only if it is absent. `create` then looks first and writes afterwards; `capabilities` say so. Two writers can then
   * destroy each other's work. Default `false`: such servers are refused.
   */
  singleWriter?: boolean | undefined;
}

/** Keys of AWS, as the AWS SDK has them (`AwsCredentialIdentity`). */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Only with temporary keys. */
  readonly sessionToken?: string;
  /** The time at which a provider is asked again. Default: never. */
  readonly expiration?: Date;
}

/** Parts of an `S3Client` of `@aws-sdk/client-s3` 3 by which it is known, so that nobody needs the SDK to read these types. */
export interface S3ClientOfSdk {
  readonly config: { readonly region: () => Promise<string> };
  /** Sends a command of the SDK. */
  send(command: never): Promise<unknown>;
  /** Closes its sockets. */
  destroy(): void;
}

/** The storage classes of S3 whose objects can be read at once. */
export type StorageClass =
  | 'STANDARD'
  | 'STANDARD_IA'
  | 'ONEZONE_IA'
  | 'INTELLIGENT_TIERING'
  | 'GLACIER_IR'
  | 'REDUCED_REDUNDANCY'
  | 'EXPRESS_ONEZONE';

/** An upload in parts that was begun and neither completed nor aborted. Its parts are invisible, but cost storage. */
export interface UnfinishedUpload {
  /** The object that it would have become. */
  name: string;
  uploadId: string;
  /** Milliseconds since 1970, by the server's clock. */
  startedAtMs: number;
}

/** {@link S3StorageOptions} with every default that does not depend on the surroundings. */
export interface CheckedS3Options extends S3StorageOptions {
  prefix: string;
  requestTimeoutMs: number;
  partBytes: number;
  concurrency: number;
  singleWriter: boolean;
}

const OPTIONS: OptionTable<S3StorageOptions> = {
  ...transferOptions(5 * 1024 * 1024),
  bucket: ANYTHING,
  endpoint: ANYTHING,
  region: TEXT,
  forcePathStyle: FLAG,
  credentials: ANYTHING,
  client: ANYTHING,
  serverSideEncryption: oneOf('AES256', 'aws:kms', 'aws:kms:dsse'),
  sseKmsKeyId: TEXT,
  storageClass: TEXT,
  singleWriter: FLAG,
};

/** @throws StowageError `INVALID_ARGUMENT`; `STORAGE_UNSUPPORTED` for a directory bucket */
export function checkS3Options(options: S3StorageOptions): CheckedS3Options {
  const checked = checkBucketOptions(options, 'S3Storage.open', OPTIONS);
  const { bucket, storageClass } = options;
  if (typeof bucket !== 'string' || !(bucket.startsWith('arn:') || /^[A-Za-z0-9._-]+$/.test(bucket))) {
    throw invalid(`${JSON.stringify(bucket)} is no name of a bucket`);
  }
  if (bucket.endsWith('--x-s3')) {
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      `"${bucket}" is a directory bucket (S3 Express), which does not list names in order; use a general purpose bucket.`,
      { details: { bucket } },
    );
  }
  if (storageClass === ('GLACIER' as string) || storageClass === ('DEEP_ARCHIVE' as string)) {
    throw invalid(
      `objects of the storage class ${storageClass} cannot be read before they are restored; choose GLACIER_IR`,
    );
  }
  const { endpoint } = options;
  if (endpoint !== undefined && !(/^https?:\/\//i.test(endpoint) && URL.canParse(endpoint))) {
    throw invalid(`the endpoint "${endpoint}" is no URL; write https://host or http://host:port`);
  }
  return { ...checked, singleWriter: options.singleWriter ?? false };
}

function invalid(why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `An S3 storage cannot be opened: ${why}.`);
}
