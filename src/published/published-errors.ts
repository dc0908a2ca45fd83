import { StowageError } from '../errors.ts';
import type { PublishedId } from '../format/published-names.ts';
import { didYouMean, suggest } from '../options/suggestions.ts';

/** Nothing was ever published under a name. @param existing names that are there, to suggest one */
export function nameNotFound(name: string, existing: readonly string[]): StowageError {
  return new StowageError(
    'PUBLISHED_NOT_FOUND',
    `Nothing is published as ${name} in this store.${didYouMean(suggest(name, existing))}`,
    { details: { name } },
  );
}

/** A name has no version of a number. */
export function versionNotFound({ name, version }: PublishedId, newest: number): StowageError {
  return new StowageError(
    'PUBLISHED_NOT_FOUND',
    `${name} has no version ${version}; the newest is ${newest}.`,
    { details: { name, version, newest } },
  );
}

/** `latest` of a name all of whose versions were withdrawn. */
export function allWithdrawn(name: string, newest: number): StowageError {
  return new StowageError(
    'PUBLISHED_WITHDRAWN',
    `Every version of ${name} was withdrawn, the newest of which is ${newest}. Publish version ${newest + 1}.`,
    { details: { name, newest } },
  );
}

/** A version that was withdrawn. */
export function withdrawn({ name, version }: PublishedId): StowageError {
  return new StowageError(
    'PUBLISHED_WITHDRAWN',
    `Version ${version} of ${name} was withdrawn. Ask for another version, or for 'latest'.`,
    { details: { name, version } },
  );
}

/** A version whose session was released by itself, so that its name still leads to it. */
export function releasedAlone({ name, version }: PublishedId, session: string): StowageError {
  return new StowageError(
    'PUBLISHED_WITHDRAWN',
    `Version ${version} of ${name} keeps nothing any more: its session ${session} was released. Withdraw the version, so that 'latest' is the one before it.`,
    { details: { name, version, session } },
  );
}

/** A number that is taken, whoever took it. */
export function versionExists({ name, version }: PublishedId, newest: number): StowageError {
  return new StowageError(
    'PUBLISHED_EXISTS',
    `${name} has a version ${version} already, published or withdrawn; a number is never used again. The next one is ${newest + 1}; leave \`version\` out to take it.`,
    { details: { name, version, newest } },
  );
}
