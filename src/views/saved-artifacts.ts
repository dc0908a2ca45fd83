import { readAttempt } from '../attempts/attempt-reader.ts';
import { listAttempts } from '../format/attempt-files.ts';
import { parseCopyName } from '../format/content-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { type ArtifactView, artifactView } from './attempts.ts';
import { ContentObjectsFinder } from './content-objects.ts';
import type { StoreView } from './store-view.ts';

/** An artifact that was saved, with what that added to the store. */
export interface SavedArtifact extends ArtifactView {
  /** 0 where the store had its content, or it is part of the description. */
  newBytes: number;
}

/** The artifacts of a closed attempt, and the bytes that were not in the store before. */
export async function readSaved(view: StoreView, path: TaskPath, attempt: number): Promise<SavedArtifact[]> {
  const { storage, content, signal } = view;
  const attempts = await listAttempts(storage, path, view);
  const { done, described } = await readAttempt(
    storage,
    content.reader,
    path,
    attempts,
    { attempt },
    { signal },
  );
  const finder = new ContentObjectsFinder(view);
  const counted = new Set<string>();
  const artifacts: SavedArtifact[] = [];
  for (const entry of described?.table().artifacts ?? []) {
    const { sizes = new Map<string, number>() } = entry.content ? await finder.objectsOf(entry.content) : {};
    let newBytes = entry.own?.storedBytes ?? 0; // nothing else has it
    for (const [name, bytes] of sizes) {
      if (counted.has(name) || sessionOf(name) !== done?.session) continue;
      counted.add(name);
      newBytes += bytes;
    }
    artifacts.push({ ...artifactView(entry), newBytes });
  }
  return artifacts;
}

/** The session that wrote an object: its name tells. */
function sessionOf(name: string): string | undefined {
  return parseCopyName(name)?.session ?? name.split('/')[1];
}
