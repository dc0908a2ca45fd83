import { StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { tryCreateOwn } from './create-own.ts';
import { encodeRecord } from './record.ts';
import { readObject, readOptional, readRecord, readTime } from './record-fields.ts';
import { type Owner, readOwner, thisOwner } from './session-files.ts';
import { newSessionId, padSequence } from './session-id.ts';

/** The latest word on what a store is to keep, as it was written. */
export interface PolicyRecord {
  /** The object that says it. */
  name: string;
  /** `undefined`: the store has none any more. */
  policy: Record<string, unknown> | undefined;
  /** ISO 8601, by the clock of whoever said so. */
  at: string;
  owner: Owner;
}

/** The most bytes of a policy as JSON. */
export const MAX_POLICY_BYTES: number = 1024 * 1024;
/** The most bytes of a record of a policy. */
export const MAX_POLICY_RECORD_BYTES: number = MAX_POLICY_BYTES + 64 * 1024;
const PREFIX = 'policy.';
const POLICY_NAME = /^policy\.(\d{8})\.json$/;
/** Others may say something else at the same time so often. */
const MAX_TRIES = 10;

/** Records what a store is to keep from now on; `undefined`: no policy. A LIST, and a request more. */
export async function createPolicyRecord(
  storage: DataStoreStorage,
  policy: object | undefined,
  { signal }: CallOptions,
): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const version = ((await latestVersion(storage, { signal })) ?? -1) + 1;
    const said = { version, at: new Date().toISOString(), owner: thisOwner(), policy };
    const record = encodeRecord({ format: 1, kind: 'policy', session: newSessionId(), ...said });
    if (await tryCreateOwn(storage, policyName(version), record, { signal, durability: 'immediate' })) return;
  }
  throw new StowageError('STORAGE_FAILED', 'Others change the policy of the store all the time; try again.');
}

/**
 * Reads what a store is to keep; `undefined` where nobody ever said anything. A LIST, and a GET.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export async function readPolicyRecord(
  storage: DataStoreStorage,
  { signal }: CallOptions,
): Promise<PolicyRecord | undefined> {
  const version = await latestVersion(storage, { signal });
  if (version === undefined) return undefined;
  const name = policyName(version);
  const object = await storage.get(name, { signal, maxBytes: MAX_POLICY_RECORD_BYTES });
  return object && { name, ...decodePolicy(object.body, storage.uri(name), version) };
}

/** Reads a version of the policy; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodePolicy(bytes: Uint8Array, what: string, version: number): Omit<PolicyRecord, 'name'> {
  const record = readRecord(bytes, what, 'policy', { version });
  const policy = readOptional(readObject, record, 'policy', what);
  return { policy, at: readTime(record, 'at', what), owner: readOwner(record, what) };
}

/** The version that a name tells; `undefined` of any other. */
export function policyVersionOf(name: string): number | undefined {
  const [, digits] = POLICY_NAME.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

async function latestVersion(
  storage: DataStoreStorage,
  { signal }: CallOptions,
): Promise<number | undefined> {
  let latest: number | undefined;
  for await (const page of storage.list({ prefix: PREFIX, depth: 'one', signal })) {
    for (const { name } of page.objects) latest = policyVersionOf(name) ?? latest;
  }
  return latest;
}

/** The name of a version of the policy. */
export function policyName(version: number): string {
  return `${PREFIX}${padSequence(version)}.json`;
}
