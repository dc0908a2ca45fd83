import { createHash } from 'node:crypto';
import { linkSync, renameSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from './errors.ts';
import { remove } from './writer.ts';

/** A claim of this age was left by a process that died. */
export const STALE_CLAIM_MS: number = 60 * 1000;

/**
 * Takes the right to replace version `version` of an object: a file in `tmp/` that is created if absent. Of all who
 * ask, one holds it, until it removes the file. This emulates a conditional replacement where there is none: enough
 * for objects that are advisory, since a holder that stalls for a minute may find that another one took over.
 *
 * @param nowMs now, by the clock of the file system
 * @returns the file to remove, or `undefined` while another one holds the claim.
 */
export function claimVersion(
  tmpFolder: string,
  name: string,
  version: string,
  nowMs: number,
  newTmpPath: () => string,
): string | undefined {
  const digest = createHash('sha256').update(`${name}\0${version}`).digest('hex');
  const claim = join(tmpFolder, `claim-${digest}`);
  if (createEmpty(claim)) return claim;
  const held = statSync(claim, { throwIfNoEntry: false });
  if (held && nowMs - held.mtimeMs > STALE_CLAIM_MS) breakClaim(claim, held, newTmpPath());
  else if (held) return undefined;
  return createEmpty(claim) ? claim : undefined;
}

/** Takes the stale claim away; if it was a fresh one after all, gives it back. */
function breakClaim(claim: string, stale: Stats, aside: string): void {
  try {
    renameSync(claim, aside);
    const { ino, mtimeMs } = statSync(aside);
    if (ino !== stale.ino || mtimeMs !== stale.mtimeMs) linkSync(aside, claim);
  } catch {
    // Another one was faster.
  } finally {
    remove(aside);
  }
}

function createEmpty(path: string): boolean {
  try {
    writeFileSync(path, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}
