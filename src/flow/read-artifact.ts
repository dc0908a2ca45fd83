import { countPieces, type ProgressOptions, withProgress } from '../async/progress.ts';
import type { AttemptView } from '../attempts/attempt-view.ts';
import { bytesIn, type ReadOptions } from '../content/reading/content-reader.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { CallOptions } from '../storage/contract.ts';
import { workOf } from './artifact-info.ts';

/** Loads one artifact for a method of the name `call`. Throws as {@link AttemptView.load}. */
export function loadArtifact(
  view: AttemptView,
  entry: ArtifactEntry,
  call: string,
  { signal, onProgress }: CallOptions & ProgressOptions,
): Promise<unknown> {
  return withProgress(onProgress, call, async (progress) => {
    progress?.expect(workOf([entry]));
    return view.load(entry, { signal, progress });
  });
}

/** Reads the serialized bytes of an artifact, or a range of them, piece by piece, for a method of the name `call`. Fails as {@link AttemptView.stream}. */
export function artifactPieces(
  view: AttemptView,
  entry: ArtifactEntry,
  call: string,
  { range, signal, onProgress }: ReadOptions & ProgressOptions,
): AsyncGenerator<Uint8Array> {
  const pieces = view.stream(entry, { range, signal });
  return onProgress ? countPieces(pieces, onProgress, call, bytesIn(entry, range)) : pieces;
}
