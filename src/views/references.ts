import { AttemptView } from '../attempts/attempt-view.ts';
import { isStowageError } from '../errors.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { DataFrameRef } from '../references/data-frame-ref.ts';
import { DirectoryRef } from '../references/directory/directory-ref.ts';
import { shownUri } from '../references/errors.ts';
import { FileRef } from '../references/file-ref.ts';
import { REFERENCE_TYPES } from '../values/reference.ts';
import { SerializerRegistry } from '../values/registry.ts';
import type { StoreView } from './store-view.ts';

/** A file, directory or data frame that an artifact refers to, as its value tells, or why that cannot be read. */
export interface ReferenceView {
  kind?: string;
  name?: string;
  /** Bytes, where they are known. */
  size?: number;
  /** Of a directory. */
  fileCount?: number;
  mediaType?: string;
  digest?: string;
  /** Its address, where it lies outside of the store, without what may be a signature. */
  uri?: string;
  failure?: { code: string; message: string };
}

/** A value that stands for a file, a directory or a data frame. */
export type Reference = FileRef | DirectoryRef | DataFrameRef;

/** So many of an attempt are read: their values, which are small, and not what these refer to. */
const MAX_READ = 100;
const MAX_VALUE_BYTES = 1024 * 1024;

/** True for a reference of this package, rather than a class of a user with the same name. */
export function isShownReference(value: unknown): value is Reference {
  return value instanceof FileRef || value instanceof DirectoryRef || value instanceof DataFrameRef;
}

/**
 * What the references among an attempt's artifacts say of themselves, by artifact. No request where their values are inline, which nearly all
 * are, and none to anywhere outside of the store.
 */
export async function readReferences(
  { content, signal }: StoreView,
  path: TaskPath,
  attempt: number,
  entries: readonly ArtifactEntry[],
): Promise<Map<string, ReferenceView>> {
  const read = entries.filter(mayBeRead).slice(0, MAX_READ);
  const facts = { path, attempt, status: 'done', purged: false } as const;
  const view = new AttemptView(content, new SerializerRegistry(), facts);
  const gathered = await view.gather(
    read.filter(({ own }) => own !== undefined),
    { signal },
  );
  const references = new Map<string, ReferenceView>();
  for (const entry of read) {
    try {
      const value = await view.fetch(entry, { signal }, gathered);
      if (isShownReference(value)) references.set(entry.name, referenceView(value));
    } catch (error) {
      if (!isStowageError(error) || error.code === 'ABORTED') throw error;
      references.set(entry.name, { failure: { code: error.code, message: error.message } });
    }
  }
  return references;
}

function mayBeRead({ encoding, type, bytes, content, own }: ArtifactEntry): boolean {
  const isElsewhere = (content ?? own)?.place !== undefined;
  return encoding === 'msgpack' && REFERENCE_TYPES.has(type) && !isElsewhere && bytes <= MAX_VALUE_BYTES;
}

/** What a reference says of itself. Its address is shown without what may be a signature. */
export function referenceView(reference: Reference): ReferenceView {
  const { uri, ...told } = reference.toJSON() as { uri?: string } & Record<string, JsonValue>;
  return { ...told, ...(uri === undefined ? {} : { uri: shownUri(uri) }) };
}
