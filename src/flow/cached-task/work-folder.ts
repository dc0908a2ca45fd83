import { mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own for one try of a task: made when its path is first asked for, removed with all that is in it. */
export class WorkFolder {
  #path: string | undefined;

  /** Its absolute path, beneath the system's folder for temporary files. */
  get path(): string {
    this.#path ??= mkdtempSync(join(realpathSync(tmpdir()), 'stowage-work-'));
    return this.#path;
  }

  /** Removes it, if there is one. */
  async remove(): Promise<void> {
    if (this.#path !== undefined) await rm(this.#path, { recursive: true, force: true, maxRetries: 3 });
  }
}
