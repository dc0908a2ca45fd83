import { write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { throwIfAborted } from '../../errors.ts';
import { readChunks } from '../../streams/body-stream.ts';

const writeAsync = promisify(write);

/** The most bytes handed to one system call, so that an abort is noticed between them. */
const MAX_WRITE_BYTES = 4 * 1024 * 1024;
/** Smaller chunks of a stream are gathered, because each way to the thread pool costs as much as copying this many bytes. */
const GATHER_BYTES = 256 * 1024;

/** Writes all of `bytes`, in as many calls as the system needs. */
export function writeAllSync(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    offset += writeSync(fd, bytes, offset, bytes.length - offset);
  }
}

/** Like {@link writeAllSync}, off the event loop. */
export async function writeAll(fd: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    throwIfAborted(signal);
    const length = Math.min(bytes.length - offset, MAX_WRITE_BYTES);
    offset += (await writeAsync(fd, bytes, offset, length, null)).bytesWritten;
  }
}

/**
 * Writes all chunks of a stream. A chunk is not kept once the stream was asked for the next one.
 *
 * @param fail turns an error of the file system into what is thrown; errors of the stream pass as they are.
 */
export async function writeStream(
  fd: number,
  stream: AsyncIterable<Uint8Array>,
  fail: (error: unknown) => Error,
  signal?: AbortSignal,
): Promise<void> {
  const gathered = Buffer.allocUnsafe(GATHER_BYTES);
  let gatheredBytes = 0;
  const put = async (bytes: Uint8Array): Promise<void> => {
    try {
      await writeAll(fd, bytes, signal);
    } catch (error) {
      throw fail(error);
    }
  };
  for await (const chunk of readChunks(stream, signal)) {
    if (gatheredBytes + chunk.length > GATHER_BYTES) {
      await put(gathered.subarray(0, gatheredBytes));
      gatheredBytes = 0;
    }
    if (chunk.length >= GATHER_BYTES) {
      await put(chunk);
    } else {
      gathered.set(chunk, gatheredBytes);
      gatheredBytes += chunk.length;
    }
  }
  await put(gathered.subarray(0, gatheredBytes));
}
