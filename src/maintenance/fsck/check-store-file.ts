import { isStowageError } from '../../errors.ts';
import {
  decodePolicy,
  MAX_POLICY_RECORD_BYTES,
  policyName,
  policyVersionOf,
} from '../../format/policy-record.ts';
import { isStoreName } from '../../format/store-names.ts';
import { STORE_RECORD } from '../../format/store-record.ts';
import { KNOWN_FOLDERS } from '../collection/known-folders.ts';
import type { Checking } from './checking.ts';
import type { Finding } from './finding.ts';

/** Layer `store`: `stowage.json`, the retention policy, names at the top, and writes that never ended. */
export async function* checkStoreFile(checking: Checking): AsyncGenerator<Finding, void> {
  const { content, storage, call } = checking;
  const about = { layer: 'store', object: STORE_RECORD, severity: 'lost', remedy: 'restore' } as const;
  try {
    if (!(await content.isThereToRead(call))) await content.prepareToRead(call); // which says so
  } catch (error) {
    // What else there is can be checked without it.
    if (!isStowageError(error, 'NOT_A_STORE')) throw error;
    const isThere = await storage.head(STORE_RECORD, call);
    yield checking.found(about, isThere ? 'damaged' : 'missing', error.message);
  }
  if (checking.isPart) return;
  for await (const page of storage.list({ prefix: '', depth: 'one', ...call })) {
    for (const { name } of page.objects) if (!isStoreName(name)) yield checking.foreign('store', name);
    for (const folder of page.folders)
      if (!KNOWN_FOLDERS.has(folder)) yield checking.foreign('store', folder);
  }
  yield* checkPolicies(checking);
  yield* checkUnfinished(checking);
}

/** Versions of the retention policy, which are counted from 0; the highest counts. */
async function* checkPolicies(checking: Checking): AsyncGenerator<Finding, void> {
  let next = 0;
  for await (const { name: object } of checking.list('policy.')) {
    const version = policyVersionOf(object);
    if (version === undefined) continue;
    for (next = Math.max(next, version - MAX_GAPS); next < version; next++) {
      const missing = policyName(next);
      const message = `${checking.storage.uri(missing)} is missing: a later version of the policy is there, which counts.`;
      yield checking.found({ layer: 'store', object: missing }, 'missing', message);
    }
    next = version + 1;
    const about = { layer: 'store', object, severity: 'lost' } as const;
    const read = await checking.record(about, MAX_POLICY_RECORD_BYTES, (bytes, what) =>
      decodePolicy(bytes, what, version),
    );
    if (read !== 'gone' && 'finding' in read) yield read.finding;
  }
}

async function* checkUnfinished({ storage, call, choice }: Checking): AsyncGenerator<Finding, void> {
  const { unfinished } = storage;
  if (unfinished?.kind !== 'listed') return;
  for await (const { name, startedAtMs } of unfinished.find({ olderThanMs: DAY_MS, ...call })) {
    const since = new Date(Math.min(startedAtMs, choice.nowMs)).toISOString();
    yield {
      problem: 'leftover',
      layer: 'store',
      severity: 'notice',
      place: '',
      object: name,
      message: `A write of ${name} was begun at ${since} and never ended; it takes space. To remove such writes: stowage uploads --yes`,
      remedy: 'delete',
      concerns: [],
      concerned: 0,
    };
  }
}

/** So many versions that are missing are told. */
const MAX_GAPS = 100;
const DAY_MS = 24 * 60 * 60 * 1000;
