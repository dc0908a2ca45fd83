import type { ProgressOptions } from '../async/progress.ts';
import { Files } from '../references/files.ts';
import type { CachedTaskFiles } from './options.ts';
import type { AttemptRecording } from './record.ts';

/** The files of one try of a cached task. */
export class RecordedFiles extends Files implements CachedTaskFiles {
  readonly #recording: AttemptRecording;

  constructor(recording: AttemptRecording) {
    super(recording.fileKeeper);
    this.#recording = recording;
  }

  save(name: string, path: string, options?: ProgressOptions): Promise<void> {
    return this.#recording.saveFile(name, path, options);
  }
}
