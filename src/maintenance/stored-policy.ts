import { invalidArgument, isStowageError, StowageError } from '../errors.ts';
import { createPolicyRecord, MAX_POLICY_BYTES, readPolicyRecord } from '../format/policy-record.ts';
import type { Owner } from '../format/session-files.ts';
import { ANYTHING, checkOptions, FUNCTION, type OptionTable } from '../options/option-table.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { checkGivenStore, type MaintenanceOptions, withStore } from './opened-store.ts';
import { type RetentionPolicy, readPolicy } from './retention/policy.ts';

/** The policy that a store has. */
export interface StoredPolicy {
  policy: RetentionPolicy;
  /** When it was saved, ISO 8601, by the clock of whoever did. */
  at: string;
  /** Who saved it. */
  owner: Owner;
}

/** Options of {@link saveRetentionPolicy}. */
export interface SavePolicyOptions extends MaintenanceOptions {
  /** It takes the place of the one that the store has. `null`: the store has none any more. */
  policy: RetentionPolicy | null;
}

const READ_OPTIONS: OptionTable<MaintenanceOptions> = { store: ANYTHING, openPlace: FUNCTION };
const SAVE_OPTIONS: OptionTable<SavePolicyOptions> = { ...READ_OPTIONS, policy: ANYTHING };

/** Does what `readRetentionPolicy` of the package does, which loads it. */
export async function readRetentionPolicy(options: MaintenanceOptions): Promise<StoredPolicy | undefined> {
  if (options === undefined) throw invalidArgument('readRetentionPolicy takes options, at least { store }.');
  checkOptions(options, 'readRetentionPolicy', READ_OPTIONS);
  checkGivenStore(options.store, 'readRetentionPolicy');
  const { signal } = options;
  return withStore(options, undefined, ({ storage }) => storedPolicyOf(storage, { signal }));
}

/** Does what `saveRetentionPolicy` of the package does, which loads it. */
export async function saveRetentionPolicy(options: SavePolicyOptions): Promise<void> {
  if (options === undefined)
    throw invalidArgument('saveRetentionPolicy takes options, at least { store, policy }.');
  checkOptions(options, 'saveRetentionPolicy', SAVE_OPTIONS);
  checkGivenStore(options.store, 'saveRetentionPolicy');
  const { policy, signal } = options;
  if (policy !== null) checkPolicy(policy);
  await withStore(options, undefined, async ({ storage, content }) => {
    await content.prepareToWrite({ signal });
    await createPolicyRecord(storage, policy ?? undefined, { signal });
  });
}

/** Like {@link readRetentionPolicy}, of a store that is open. */
export async function storedPolicyOf(
  storage: DataStoreStorage,
  options: CallOptions,
): Promise<StoredPolicy | undefined> {
  const record = await readPolicyRecord(storage, options);
  if (record?.policy === undefined) return undefined;
  const { name, policy, at, owner } = record;
  try {
    readPolicy(policy);
  } catch (error) {
    if (!isStowageError(error, 'INVALID_ARGUMENT', 'INVALID_NAME')) throw error;
    throw notKnown(storage.uri(name), error);
  }
  return { policy, at, owner };
}

/** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
export function checkPolicy(policy: unknown): asserts policy is RetentionPolicy {
  readPolicy(policy);
  if (Buffer.byteLength(JSON.stringify(policy)) > MAX_POLICY_BYTES)
    throw invalidArgument(`The policy is longer than ${MAX_POLICY_BYTES} bytes; name fewer flows.`);
}

/** What was saved was checked, so that whatever is not known is a rule of a later version: to leave it out might delete what it keeps. */
function notKnown(what: string, cause: StowageError): StowageError {
  return new StowageError(
    'UNSUPPORTED_FORMAT',
    `${what} has a rule that this version of Stowage does not know: ${cause.message} Upgrade Stowage, or save another policy.`,
    { details: { what }, cause },
  );
}
