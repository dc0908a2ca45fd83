import type { ContentStore } from '../content/content-store.ts';
import { StowageError } from '../errors.ts';
import { isContentKey } from '../format/content-names.ts';
import { type ContentRef, HERE } from '../format/content-ref.ts';
import { isUserName } from '../storage/names.ts';
import type { ReferenceReader } from '../values/reference.ts';
import { DataFrameRef } from './data-frame-ref.ts';
import { type DirectoryFacts, DirectoryRef, keysIn } from './directory/directory-ref.ts';
import { type FileFacts, FileRef } from './file-ref.ts';
import { isReadableUri } from './uris.ts';

/**
 * Makes the references of a value that was loaded from a store, or is about to be saved there.
 *
 * @param refs - those of the value's row, which tell where the contents lie
 */
export function referenceReader(store: ContentStore, refs: readonly ContentRef[] = []): ReferenceReader {
  let places: Map<string, string> | undefined;
  return (kind, members) => {
    if (typeof members !== 'object' || members === null) throw malformed(kind, 'it has no members');
    const told = new Members(kind, members as Record<string, unknown>);
    const placeOf = (key: string): string => {
      places ??= new Map(refs.filter((ref) => ref.kind === 'key').map((ref) => [ref.name, ref.place]));
      const place = places.get(key);
      if (place !== undefined) return place;
      throw malformed(kind, `its row does not name the content ${key}`);
    };
    if (kind === 'file') return readFile(told, store, placeOf);
    if (kind === 'frame') return new DataFrameRef(readFile(told, store, placeOf));
    if (kind === 'directory') return readDirectory(told, store, placeOf);
    throw new StowageError(
      'UNKNOWN_ENCODING',
      `The value holds a reference of the kind ${JSON.stringify(kind.slice(0, 40))}, which this release does not know; a newer one may have written it.`,
      { details: { reference: kind } },
    );
  };
}

function readFile(told: Members, store: ContentStore, placeOf: (key: string) => string): FileRef {
  const content = told.optional('content', isContentKey);
  const uri = told.optional('uri', isReadableUri);
  if ((content === undefined) === (uri === undefined))
    throw malformed('file', 'it has either content or an address');
  const facts: FileFacts = {
    name: told.required('name', isFileName),
    mediaType: told.optional('mediaType', isText),
    digest: told.optional('digest', isText),
    seen: {
      size: told.optional('size', isCount),
      version: told.optional('version', isText),
      modifiedAtMs: told.optional('modifiedAtMs', isTime),
    },
    content,
    uri,
  };
  const place = content === undefined ? HERE : placeOf(content);
  return new FileRef(facts, { store, place: place === HERE ? undefined : place });
}

function readDirectory(told: Members, store: ContentStore, placeOf: (key: string) => string): DirectoryRef {
  const facts: DirectoryFacts = {
    name: told.required('name', isFileName),
    files: told.required('files', isCount),
    size: told.required('size', isCount),
    digest: told.optional('digest', isText),
    entries: told.required('entries', isContentKey),
    listing: told.required('listing', isContentKey),
    parts: told.required('parts', isParts),
  };
  const places = new Map([facts.listing, ...keysIn(facts.parts)].map((key) => [key, placeOf(key)]));
  return new DirectoryRef(facts, { store, placeOf: (key) => places.get(key) ?? HERE });
}

/** Members of a reference, of which nothing is certain. */
class Members {
  readonly #kind: string;
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(kind: string, members: Readonly<Record<string, unknown>>) {
    this.#kind = kind;
    this.#members = members;
  }

  optional<T>(name: string, is: (value: unknown) => value is T): T | undefined {
    const value = Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
    if (value === undefined || is(value)) return value;
    throw malformed(this.#kind, `its member ${name} is none`);
  }

  required<T>(name: string, is: (value: unknown) => value is T): T {
    const value = this.optional(name, is);
    if (value !== undefined) return value;
    throw malformed(this.#kind, `it has no ${name}`);
  }
}

/** The registry tells the artifact. */
function malformed(kind: string, why: string): Error {
  return new Error(`a reference of the kind ${JSON.stringify(kind.slice(0, 40))} that is not valid: ${why}`);
}

/** Digests, ascending, each once. */
function isParts(value: unknown): value is Uint8Array {
  if (!(value instanceof Uint8Array) || value.length % 32 !== 0) return false;
  const keys = keysIn(value);
  return keys.every((key, index) => index === 0 || (keys[index - 1] as string) < key);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isFileName(value: unknown): value is string {
  return typeof value === 'string' && isUserName(value);
}

/** Before 1970 it is negative. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Math.abs(value as number) <= 8.64e15;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
