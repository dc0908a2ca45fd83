import { StowageError } from '../../errors.ts';
import { STORE_RECORD } from '../../format/store-record.ts';
import type { DataStoreStorage } from '../../storage/contract.ts';

/** What a listing leaves out would be taken for dead, so that nothing is deleted where one cannot be as it is. */
const WHY = 'since what a listing leaves out would be taken for dead';

/** The error of a listing that is not in the order of names: `line` came behind `before`. */
export function outOfOrder(line: string, before: string): StowageError {
  const [name, last] = [line, before].map((text) => text.split('\t').at(-1) ?? '');
  return new StowageError(
    'STORAGE_FAILED',
    `The storage listed ${name} behind ${last}, which is not the order of names. Nothing more is deleted, since what is listed too late would be taken for dead.`,
    { details: { name, last } },
  );
}

/** The error of a listing of all that leaves out what was read a moment ago. */
export function notListed(what: string): StowageError {
  return new StowageError(
    'STORAGE_FAILED',
    `The storage did not list ${what}, which is there. Nothing is deleted, ${WHY}. Try again; if it stays so, something between here and the storage answers in its place.`,
    { details: { what } },
  );
}

/** The error of listings that tell content and no attempt. Content is written behind the first record of an attempt, which is never deleted. */
export function noSessions(storage: DataStoreStorage): StowageError {
  const store = addressOf(storage);
  return new StowageError(
    'STORAGE_FAILED',
    `${store} holds content, and the storage lists no attempt that saved any, which cannot be. Nothing is deleted. Restore flows/ and loose/ from a copy of the store; if nobody needs what it holds, delete the whole store.`,
    { details: { store } },
  );
}

/** The error of two listings of attempts, of which the second is shorter. Attempts come, and none ever goes. */
export function fewerSessions(storage: DataStoreStorage, before: number, now: number): StowageError {
  const store = addressOf(storage);
  return new StowageError(
    'STORAGE_FAILED',
    `The storage listed ${before} attempts of ${store}, and then only ${now}, which cannot be. Nothing is deleted, ${WHY}; try again.`,
    { details: { store, before, now } },
  );
}

function addressOf(storage: DataStoreStorage): string {
  return storage.uri(STORE_RECORD).slice(0, -`/${STORE_RECORD}`.length);
}
