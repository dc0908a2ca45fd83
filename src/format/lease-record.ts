import { StowageError } from '../errors.ts';
import type { EntryKey } from './cache-names.ts';
import { encodeRecord } from './record.ts';
import { readInteger, readRecord, readString, readTime } from './record-fields.ts';
import { type Owner, readOwner, thisOwner } from './session-files.ts';
import { isSessionId, type SessionId } from './session-id.ts';

/** The content of a lease: who runs the task of a key, and how long it may be silent. */
export interface LeaseRecord {
  key: EntryKey;
  token: number;
  /** The owner's; its beat is `beats/<session>`. */
  session: SessionId;
  owner: Owner;
  /** ISO 8601, by the owner's clock. */
  startedAt: string;
  /** After how long without a beat others may take over. */
  leaseMs: number;
}

/** The longest {@link LeaseRecord.leaseMs}: an hour. */
export const MAX_LEASE_MS: number = 60 * 60 * 1000;
/** The most bytes a lease may have. */
export const MAX_LEASE_BYTES: number = 64 * 1024;

export function encodeLease(lease: Omit<LeaseRecord, 'owner' | 'startedAt'>): Uint8Array {
  const { key, token, session, leaseMs } = lease;
  const startedAt = new Date().toISOString();
  return encodeRecord({
    format: 1,
    kind: 'cache-lease',
    key,
    token,
    session,
    owner: thisOwner(),
    startedAt,
    leaseMs,
  });
}

/** Reads the lease of a key that was given `token`; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeLease(
  bytes: Uint8Array,
  { key, token }: Pick<LeaseRecord, 'key' | 'token'>,
  what: string,
): LeaseRecord {
  const record = readRecord(bytes, what, 'cache-lease', { key, token });
  const session = readString(record, 'session', what);
  const leaseMs = readInteger(record, 'leaseMs', what, 1);
  if (!isSessionId(session) || leaseMs > MAX_LEASE_MS) {
    throw new StowageError('RECORD_DAMAGED', `${what} is no lease that anybody makes.`, {
      details: { record: what },
    });
  }
  return {
    key,
    token,
    session,
    owner: readOwner(record, what),
    startedAt: readTime(record, 'startedAt', what),
    leaseMs,
  };
}
