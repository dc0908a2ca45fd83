import { readAttempt } from '../attempts/attempt-reader.ts';
import { listAttempts } from '../format/attempt-files.ts';
import { parseCopyName } from '../format/content-names.ts';
import { HERE } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { CallOptions } from '../storage/contract.ts';
import { type ArtifactJson, artifactJson } from './attempt-view.ts';
import type { OpenStore } from './store.ts';

/** An artifact that was put, in `--json`. */
export interface PutArtifactJson extends ArtifactJson {
  /** What was added to the store for it; 0 where the store had its content, or it is part of the description. */
  newBytes: number;
}

/** What an attempt that was just closed holds, and what of it was not in the store before. */
export async function readPut(
  store: OpenStore,
  path: TaskPath,
  attempt: number,
  options: CallOptions,
): Promise<PutArtifactJson[]> {
  const { storage, content } = store;
  const attempts = await listAttempts(storage, path, options);
  const read = await readAttempt(storage, content.reader, path, attempts, { attempt }, options);
  const session = read.done?.session;
  const counted = new Set<string>();
  const artifacts: PutArtifactJson[] = [];
  for (const entry of read.described?.table().artifacts ?? []) {
    let newBytes = 0;
    for (const [name, bytes] of await objectsOf(store, entry, options)) {
      if (counted.has(name) || sessionOf(name) !== session) continue;
      counted.add(name);
      newBytes += bytes;
    }
    artifacts.push({ ...artifactJson(entry), newBytes });
  }
  return artifacts;
}

/** The objects that an artifact's content lies in: one, or a manifest and packs. */
async function objectsOf(
  store: OpenStore,
  { content }: ArtifactEntry,
  options: CallOptions,
): Promise<(readonly [name: string, bytes: number])[]> {
  if (!content) return [];
  const copy = parseCopyName(content.copy);
  if (copy?.folder !== 'manifests') return [[content.copy, content.storedBytes]];
  const { reader } = await store.content.at(content.place ?? HERE, options);
  const described = await reader.describeCopy(content.copy, options);
  const packs = described?.packs.map(({ name, bytes }) => [name, bytes] as const) ?? [];
  return [[content.copy, copy.bytes], ...packs];
}

/** Who wrote an object: its name tells. */
function sessionOf(name: string): string | undefined {
  return parseCopyName(name)?.session ?? name.split('/')[1];
}
