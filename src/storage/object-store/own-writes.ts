import { isStowageError } from '../../errors.ts';
import type { RepeatStep } from '../contract.ts';

const HUNG_UP = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'];

/**
 * Repeats what creates an object; after a lost response "exists" may mean that it was this very write.
 *
 * @param isOwn whether the object bears the mark of this write; `undefined` where there is none
 */
export async function createOwn(
  repeat: RepeatStep,
  create: () => Promise<boolean>,
  isOwn: () => Promise<boolean | undefined>,
): Promise<boolean> {
  let wasLost = false;
  const isCreated = await repeat(() =>
    create().catch((error: unknown) => {
      wasLost = true;
      throw error;
    }),
  );
  if (isCreated || !wasLost) return isCreated;
  return (await repeat(isOwn)) === true;
}

/**
 * Runs what creates an object by one request. A server that refuses a write may hang up on whoever is still sending its body, and
 * the answer is lost with the connection; or the write took effect. The object tells, or the error of looking for it.
 *
 * @param isOwn as for {@link createOwn}
 */
export async function createOrLook(
  create: () => Promise<boolean>,
  isOwn: () => Promise<boolean | undefined>,
): Promise<boolean> {
  try {
    return await create();
  } catch (error) {
    if (!hasHungUp(error)) throw error;
    const isMine = await isOwn();
    if (isMine === undefined) throw error;
    return isMine;
  }
}

function hasHungUp(error: unknown): boolean {
  return isStowageError(error, 'STORAGE_UNAVAILABLE') && HUNG_UP.includes(String(error.details.cause));
}
