import { StowageError } from '../../errors.ts';
import { ANYTHING, type OptionTable, oneOf, TEXT } from '../../options/option-table.ts';
import { checkBucketOptions, transferOptions } from '../bucket/options.ts';

/** Options of a `GcsStorage`: how its objects are reached and kept. */
export interface GcsStorageOptions {
  /** The bucket, which must exist. */
  bucket: string;
  /** The beginning of the names of all objects in the bucket, `/`-separated. Default: nothing. */
  prefix?: string | undefined;
  /** The project of the credentials, which spares looking for it. Default: what the SDK finds. */
  projectId?: string | undefined;
  /** The project that pays for requests to a bucket whose requester pays. Default: the bucket's own. */
  userProject?: string | undefined;
  /** The path of a key file: of a service account, or of workload identity federation. Default: see `credentials`. */
  keyFilename?: string | undefined;
  /**
   * The content of a key file. Default: the SDK's own chain (`GOOGLE_APPLICATION_CREDENTIALS`, what
   * `gcloud auth application-default login` left, the service account of the machine).
   */
  credentials?: Readonly<Record<string, unknown>> | undefined;
  /**
   * The server, for one that is not `https://storage.googleapis.com`: a private endpoint, an emulator. Other hosts than
   * those of `googleapis.com` are sent credentials only if they are given above. Default: `STORAGE_EMULATOR_HOST`, else
   * Google.
   */
  apiEndpoint?: string | undefined;
  /**
   * A `Storage` of `@google-cloud/storage` 7, for credentials of one's own kind: it says where requests go and who sends
   * them, in place of the options above. Its retries, agents and interceptors are not used. Default: one is made.
   */
  client?: GcsClient | undefined;
  /**
   * The key of Cloud KMS to encrypt by: `projects/<p>/locations/<l>/keyRings/<r>/cryptoKeys/<k>`. Default: as the bucket
   * does.
   */
  kmsKeyName?: string | undefined;
  /** The storage class of what is written. All can be read at once; the colder ones cost more to read and to delete early. Default: the bucket's. */
  storageClass?: GcsStorageClass | undefined;
  /** The longest time in which nothing is sent or received before a request fails. Default 60,000 (1 minute). */
  requestTimeoutMs?: number | undefined;
  /**
   * The size of the parts in which large objects are moved: a multiple of 262,144 (256 KiB), at most 1 GiB. Default
   * 8,388,608 (8 MiB).
   */
  partBytes?: number | undefined;
  /** The most parts of `partBytes` under way at a time, of all calls together, in each direction. Default 8. */
  concurrency?: number | undefined;
}

/** The parts of the `Storage` of `@google-cloud/storage` 7 that are used here, so that nobody needs it to read these types. */
export interface GcsClient {
  /** The address of requests: `https://storage.googleapis.com`. */
  readonly apiEndpoint: string;
  /** True if that was chosen by somebody. */
  readonly customEndpoint?: boolean | undefined;
  readonly useAuthWithCustomEndpoint?: boolean | undefined;
  readonly authClient: {
    /** Finds the credentials, and renews them when they are about to expire. */
    getRequestHeaders(url?: string): Promise<Readonly<Record<string, string>> | Headers>;
  };
}

/** The storage classes of Cloud Storage. */
export type GcsStorageClass = 'STANDARD' | 'NEARLINE' | 'COLDLINE' | 'ARCHIVE';

/** {@link GcsStorageOptions} with every default that does not depend on the surroundings. */
export interface CheckedGcsOptions extends GcsStorageOptions {
  prefix: string;
  requestTimeoutMs: number;
  partBytes: number;
  concurrency: number;
}

/** Options that a `client` decides already. */
const CLIENT_OPTIONS = ['projectId', 'keyFilename', 'credentials', 'apiEndpoint'] as const;
/** All parts of a resumable upload but the last must be multiples of this. */
const PART_UNIT_BYTES = 256 * 1024;
const OPTIONS: OptionTable<GcsStorageOptions> = {
  ...transferOptions(PART_UNIT_BYTES),
  bucket: ANYTHING,
  projectId: TEXT,
  userProject: TEXT,
  keyFilename: TEXT,
  credentials: ANYTHING,
  apiEndpoint: TEXT,
  client: ANYTHING,
  kmsKeyName: TEXT,
  storageClass: oneOf('STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'),
};

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkGcsOptions(options: GcsStorageOptions): CheckedGcsOptions {
  const checked = checkBucketOptions(options, 'GcsStorage.open', OPTIONS);
  const { bucket } = options;
  if (typeof bucket !== 'string' || !/^[A-Za-z0-9._-]+$/.test(bucket)) {
    throw invalid(`${JSON.stringify(bucket)} is no name of a bucket`);
  }
  const decided = CLIENT_OPTIONS.find((option) => options[option] !== undefined);
  if (options.client && decided)
    throw invalid(`the client decides what ${decided} says; leave one of them out`);
  if (checked.partBytes % PART_UNIT_BYTES !== 0) {
    throw invalid(`partBytes is ${checked.partBytes}; give a multiple of ${PART_UNIT_BYTES} (256 KiB)`);
  }
  return checked;
}

function invalid(why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `A Cloud Storage bucket cannot be opened: ${why}.`);
}
