import { readTask } from '../../attempts/attempt-reader.ts';
import { AttemptView } from '../../attempts/attempt-view.ts';
import type { ContentStore } from '../../content/content-store.ts';
import type { ContentKey } from '../../format/content-names.ts';
import type { ArtifactEntry } from '../../format/description.ts';
import { newSessionId } from '../../format/session-id.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { SerializerRegistry } from '../../values/registry.ts';
import type { WorkFolder } from '../collection/sorted-lines.ts';
import { SessionsToErase } from '../erasure/erase-sessions.ts';
import type { ErasureTargets } from '../erasure/erased-keys.ts';
import { labelOf } from '../erasure/eraser-session.ts';
import type { SweepContext } from '../erasure/erasure-context.ts';
import { ErasureReport } from '../erasure/erasure-report.ts';
import { newResult, noteProblem } from './apply-retention.ts';
import { deleteEntries, entriesAt } from './removed-entries.ts';
import { partOf, type RemovedArtifact } from './removed-path.ts';
import type { RetentionResult } from './retention-plan.ts';

/** What readers are told who ask for it. */
const REASON = 'it was removed';

/** The artifact of one name, whatever its value is: other names, and other tasks, keep what is equal. */
class NamedArtifact implements ErasureTargets {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  has(): boolean {
    return false;
  }

  inRow({ key }: Pick<ArtifactEntry, 'key'>): ContentKey[] {
    return [key];
  }

  rowsIn(rows: readonly ArtifactEntry[]): ArtifactEntry[] {
    return rows.filter(({ name }) => name === this.#name);
  }

  reasonOf(): string {
    return REASON;
  }
}

/** What removing an artifact works with. */
export interface ArtifactRemoval {
  content: ContentStore;
  folder: WorkFolder;
  dryRun: boolean;
  options: CallOptions;
}

/**
 * Removes an artifact from the attempts of a task that are closed: each is described anew without it, by the steps of an erasure, and the entries of the cache
 * that name it go. An attempt that is open is its owner's.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`; `CONTENT_ERASED` where it was removed before
 */
export async function removeArtifact(
  { content, folder, dryRun, options }: ArtifactRemoval,
  path: RemovedArtifact,
): Promise<RetentionResult> {
  const report = new ErasureReport();
  const context: SweepContext = {
    content,
    targets: new NamedArtifact(path.artifact),
    report,
    folder,
    dryRun,
    label: labelOf(newSessionId()),
    harmless: new Set(),
    at: new Date().toISOString(),
    options,
    progress: () => {},
  };
  if (!dryRun) await content.prepareToWrite(options);
  const sessions = new SessionsToErase(context);
  const found = await sessions.sweep([`flows/${partOf(path)}`]);
  if (found === 0 && report.failures === 0) await requireArtifact(content, path, options);
  const result = {
    ...newResult(),
    dryRun,
    artifacts: report.counts.artifacts,
    runsInPart: found > 0 ? 1 : 0,
  };
  for (const { path: at, error } of report.problems) noteProblem(result, error, { name: at });
  for (const { name, error } of report.undeleted) noteProblem(result, error, { name });
  const entries = entriesAt(content, path, options, sessions.erased);
  if (dryRun) for await (const _key of entries) result.cacheEntries += 1;
  else await deleteEntries(content.storage, entries, result, options);
  return result;
}

/** Says why there is nothing to remove, and what there is. */
async function requireArtifact(
  content: ContentStore,
  { artifact, attempt, ...path }: RemovedArtifact,
  options: CallOptions,
): Promise<void> {
  const rule = { attempt, allowNotDone: true };
  const read = await readTask(content.storage, content.reader, path, rule, options);
  new AttemptView(content, new SerializerRegistry(), read).entry(artifact);
}
