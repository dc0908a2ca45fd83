import { linkSync, readFileSync, type Stats, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { nodeCrypto } from '../../digest/node-crypto.ts';
import { codeOf } from './errors.ts';
import { isTmpName } from './tmp-folder.ts';
import { remove } from './writer.ts';

/** A holder that has not replaced the version after so long has died, or is stopped. */
export const STALE_CLAIM_MS: number = 60 * 1000;
/** The most holders of one version that may have died. */
const MAX_CLAIMS = 100;

/** A replacement: of what, and by what. */
export interface ClaimRequest {
  tmpFolder: string;
  name: string;
  version: string;
  /** The file, written already, that its holder will rename to the object's name. */
  tmp: string;
  newTmpPath: () => string;
}

/**
 * Takes the right to replace one version of an object. This emulates a conditional replacement, where there is none: of all who
 * ask, at most one ever replaces that version, however long any of them is stopped, and wherever.
 *
 * A claim is a file in the folder of unfinished writes, linked if absent, that names the file which its holder will rename. It is over when that file is gone.
 * A call that finds a stale claim removes the file, so that the holder's rename fails, and claims the next number; the claim
 * itself stays, so that its number is not given again. Claims are removed by {@link dropClaims}, when their version is replaced.
 *
 * @returns the claims up to one's own, the last; `undefined` while another one holds the claim.
 */
export function claimVersion(request: ClaimRequest): string[] | undefined {
  const { tmpFolder, name, version, tmp, newTmpPath } = request;
  const own = newTmpPath();
  try {
    writeFileSync(own, basename(tmp), { flag: 'wx' });
    const nowMs = statSync(own).mtimeMs;
    const claims: string[] = [];
    while (claims.length < MAX_CLAIMS) {
      const id = [name, version, ...(claims.length === 0 ? [] : [claims.length])].join('\0');
      const claim = join(tmpFolder, `claim-${nodeCrypto().createHash('sha256').update(id).digest('hex')}`);
      claims.push(claim);
      if (linkIfAbsent(own, claim)) return claims;
      if (!isOver(tmpFolder, claim, nowMs)) return undefined;
    }
    return undefined;
  } finally {
    remove(own);
  }
}

/** Removes the claims of a version that is not in place any more, and so never will be. */
export function dropClaims(claims: readonly string[]): void {
  for (const claim of claims) remove(claim);
}

/** True if the claim's holder will replace nothing any more. Makes it so for a stale claim. */
function isOver(tmpFolder: string, claim: string, nowMs: number): boolean {
  let stats: Stats;
  let holder: string;
  try {
    stats = statSync(claim);
    holder = readFileSync(claim, 'latin1');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false; // dropped: its version is not in place any more
    throw error;
  }
  const isStale = nowMs - stats.mtimeMs > STALE_CLAIM_MS;
  if (!isTmpName(holder)) return isStale;
  const tmp = join(tmpFolder, holder);
  if (!isStale) return statSync(tmp, { throwIfNoEntry: false }) === undefined;
  try {
    unlinkSync(tmp);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return true;
}

function linkIfAbsent(file: string, path: string): boolean {
  try {
    linkSync(file, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}
