import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linesOf } from '../../streams/file-lines.ts';
import { cannotWrite } from '../files/write-errors.ts';

/** So much is kept in memory. */
const MAX_MEMORY_BYTES = 16_000_000;

/** Keeps JSON values in their order until all are known: few in memory, and many in a file for as long as it takes. */
export class Spool<T> {
  readonly #maxMemoryBytes: number;
  #lines: string[] = [];
  #bytes = 0;
  #file: { folder: string; path: string; fd: number } | undefined;

  constructor({ maxMemoryBytes = MAX_MEMORY_BYTES }: { maxMemoryBytes?: number } = {}) {
    this.#maxMemoryBytes = maxMemoryBytes;
  }

  /** @throws CliError `OUTPUT_FAILED` where the folder for temporary files takes no more */
  add(value: T): void {
    const line = `${JSON.stringify(value)}\n`;
    this.#lines.push(line);
    this.#bytes += line.length;
    if (this.#bytes > this.#maxMemoryBytes) this.#flush();
  }

  /** All that was added, in its order. */
  *values(): Generator<T, void> {
    if (this.#file) for (const line of linesOf(this.#file.fd)) yield JSON.parse(line) as T;
    for (const line of this.#lines) yield JSON.parse(line) as T;
  }

  /** Removes the file, if there is one. */
  close(): void {
    if (!this.#file) return;
    closeSync(this.#file.fd);
    rmSync(this.#file.folder, { recursive: true, force: true });
    this.#file = undefined;
  }

  #flush(): void {
    try {
      this.#file ??= openFile();
      const bytes = Buffer.from(this.#lines.join(''));
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file.fd, bytes, at);
    } catch (error) {
      throw cannotWrite(this.#file?.path ?? tmpdir(), error);
    }
    this.#lines = [];
    this.#bytes = 0;
  }
}

/** In a folder that nobody else may look into. */
function openFile(): { folder: string; path: string; fd: number } {
  const folder = mkdtempSync(join(tmpdir(), 'stowage-get-'));
  const path = join(folder, 'rows');
  try {
    return { folder, path, fd: openSync(path, 'wx+', 0o600) };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
