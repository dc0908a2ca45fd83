import { mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invalidArgument } from '../errors.ts';

/** A folder of its own for one try of a task: made when its path is first asked for, removed with all that is in it. */
export class WorkFolder {
  #path: string | undefined;
  #isRemoved = false;

  /**
   * Its absolute path, beneath the system's folder for temporary files.
   *
   * @throws StowageError `INVALID_ARGUMENT` where it would be made when the try has ended: nobody would remove it.
   */
  get path(): string {
    if (this.#isRemoved && this.#path === undefined)
      throw invalidArgument(
        'The try of the task has ended, and its work folder with it. Await in the function whatever uses ctx.workDir.',
      );
    this.#path ??= mkdtempSync(join(realpathSync(tmpdir()), 'stowage-work-'));
    return this.#path;
  }

  /** Removes it, if there is one. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    if (this.#path !== undefined) await rm(this.#path, { recursive: true, force: true, maxRetries: 3 });
  }
}
