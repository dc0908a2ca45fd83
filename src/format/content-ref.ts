import { invalidArgument, StowageError } from '../errors.ts';
import { isContentKey, isPackName, isPlainName } from './content-names.ts';

/**
 * Names one thing that keeps content alive or condemns it: an entry of pins, of a row's `refs`, or of a collector's list.
 * - `key`: all copies of a content (pins and refs);
 * - `copy`: one copy, by its object name (a collector's list);
 * - `pack`, `plain`: an object by its name.
 */
export interface ContentRef {
  /** The place where it lies: `''` is the store itself, else the id of another place registered under `elsewhere/`. */
  readonly place: string;
  readonly kind: 'key' | 'copy' | 'pack' | 'plain';
  readonly name: string;
}

/** The `place` of everything that lies in the store itself. */
export const HERE = '';

/** The same for equal entries. */
export function refId({ place, kind, name }: ContentRef): string {
  return `${place}\n${kind}\n${name}`;
}

const KINDS: readonly string[] = ['key', 'copy', 'pack', 'plain'];

/**
 * A reference that a value holds.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what names no content
 */
export function checkContentRef(ref: ContentRef): ContentRef {
  const { place, kind, name } = (ref ?? {}) as Partial<ContentRef>;
  const named = { place, kind, name } as Partial<ContentRef>;
  if (isReference(named)) return named;
  throw invalidArgument(
    "A reference names content by { place: '', kind: 'key', name: <the key that saving it returned> }, or a pack or plain object by its name; place is that of the saved content, if it has one.",
  );
}

/** Reads the entries of a record, or throws `RECORD_DAMAGED` naming `what`. */
export function readContentRefs(value: unknown, what: string): ContentRef[] {
  if (!Array.isArray(value)) throw damaged(what);
  return value.map((entry) => {
    const { place, kind, name } = (entry ?? {}) as Record<string, unknown>;
    if (typeof place !== 'string' || typeof name !== 'string' || !KINDS.includes(kind as string))
      throw damaged(what);
    return { place, kind: kind as ContentRef['kind'], name };
  });
}

/** Reads the references of a record, whose names lead to content as those do that values hold; throws `RECORD_DAMAGED`. */
export function readReferences(value: unknown, what: string): ContentRef[] {
  const refs = readContentRefs(value, what);
  if (refs.every(isReference)) return refs;
  throw damaged(what);
}

/** True if an entry names content by a name of its kind, so that nothing else is looked for by it. */
function isReference(ref: Partial<ContentRef>): ref is ContentRef {
  const { place, kind, name } = ref;
  const isName = { key: isContentKey, pack: isPackName, plain: isPlainName, copy: undefined }[kind ?? 'copy'];
  return typeof place === 'string' && (isName?.(name) ?? false);
}

function damaged(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} holds an entry that names no content; restore it from a copy of the store.`,
    {
      details: { what },
    },
  );
}
