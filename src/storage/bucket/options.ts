import { checkMembers } from '../../options/option-names.ts';
import { checkKinds, MAX_TIMER_MS, type OptionTable, TEXT, wholeNumber } from '../../options/option-table.ts';

/** Every storage in a bucket is told of its prefix and its transfers. */
interface TransferOptions {
  prefix?: string | undefined;
  requestTimeoutMs?: number | undefined;
  partBytes?: number | undefined;
  concurrency?: number | undefined;
}

const MIB = 1024 * 1024;
const MAX_PART_BYTES = 1024 * MIB;
const MAX_CONCURRENCY = 1000;

/** @param minPartBytes the smallest part that the service takes */
export function transferOptions(minPartBytes: number): OptionTable<TransferOptions> {
  return {
    prefix: TEXT,
    requestTimeoutMs: wholeNumber(1, MAX_TIMER_MS, 'whole milliseconds'),
    partBytes: wholeNumber(minPartBytes, MAX_PART_BYTES, 'a whole number of bytes'),
    concurrency: wholeNumber(1, MAX_CONCURRENCY),
  };
}

/**
 * The options with their defaults.
 *
 * @param what - `an S3 storage`, for errors
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkBucketOptions<Options extends TransferOptions>(
  options: Options,
  what: string,
  table: OptionTable<Options>,
): Options & { prefix: string; requestTimeoutMs: number; partBytes: number; concurrency: number } {
  checkMembers(options, what, Object.keys(table));
  checkKinds(options, table, ` of ${what}`);
  const { prefix = '', requestTimeoutMs = 60_000, partBytes = 8 * MIB, concurrency = 8 } = options;
  return { ...options, prefix, requestTimeoutMs, partBytes, concurrency };
}
