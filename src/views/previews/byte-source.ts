import type { CallOptions } from '../../async/call-options.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import type { ReadableFile } from '../../references/readable-file.ts';

/** Bytes that are read in parts, each verified. */
export interface ByteSource {
  /** The name of the file, or of the artifact. */
  readonly name: string;
  readonly size: number;
  /** The media type that somebody gave it. */
  readonly mediaType?: string | undefined;
  /** These bytes, fewer where it ends before. */
  read(range: { offset: number; length: number }, options: CallOptions): Promise<Uint8Array>;
  /** All bytes, piece by piece. */
  stream(options: CallOptions): AsyncIterable<Uint8Array>;
}

/** So few bytes are read at once, and kept. */
const SMALL_BYTES = 256 * 1024;

/** The serialized bytes of an artifact. */
export function artifactSource(task: TaskDataStore, name: string): ByteSource {
  const { bytes: size } = task.info(name);
  const stream = ({ signal }: CallOptions): AsyncGenerator<Uint8Array> =>
    task.streamArtifact(name, { signal });
  let whole: Promise<Uint8Array> | undefined;
  return {
    name,
    size,
    async read({ offset, length }, { signal }) {
      if (size > SMALL_BYTES)
        return gathered(task.streamArtifact(name, { range: { offset, length }, signal }));
      whole ??= gathered(stream({ signal }));
      return (await whole).subarray(offset, offset + length);
    },
    stream,
  };
}

/** The bytes of a file, whose length is known. */
export function fileSource(file: ReadableFile & { readonly size: number }): ByteSource {
  const { name, size, mediaType } = file;
  return {
    name,
    size,
    mediaType,
    read: ({ offset, length }, { signal }) => file.range(offset, length, { signal, maxBytes: length }),
    stream: ({ signal }) => file.open({ signal }),
  };
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return all.length === 1 ? (all[0] as Uint8Array) : Buffer.concat(all);
}
