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
  /** What came of it is added to this. */
  result: RetentionResult;
  options: CallOptions;
}

/**
 * Removes an artifact from the attempts of a task, which are closed by then: the entries of the cache that hold it go, and each attempt is described anew without it, by
 * the steps of an erasure. The entries go first, so that a removal which dies leaves none that nothing leads to any more, and once more behind: a call
 * may have stored one meanwhile.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`; `CONTENT_ERASED` where it was removed before, and nothing is left to do
 */
export async function removeArtifact(
  { content, folder, dryRun, result: counted, options }: ArtifactRemoval,
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
    goOn: 'Remove it again: stowage rm --yes, or removeFromStore',
    harmless: new Set(),
    at: new Date().toISOString(),
    options,
    progress: () => {},
  };
  const entries = (): AsyncGenerator<string, void> =>
    entriesAt(content, path, options, ({ table }) =>
      table.artifacts.some(({ name }) => name === path.artifact),
    );
  const before = newResult();
  // What cannot be deleted is tried again behind the sweep, and told then.
  if (!dryRun) await deleteEntries(content.storage, entries(), before, options);
  const found = await new SessionsToErase(context).sweep([`flows/${partOf(path)}`]);
  const result = {
    ...counted,
    dryRun,
    artifacts: report.counts.artifacts,
    runsInPart: found > 0 ? 1 : 0,
    cacheEntries: before.cacheEntries,
  };
  for (const { path: at, error } of report.problems) noteProblem(result, error, { name: at });
  for (const { name, error } of report.undeleted) noteProblem(result, error, { name });
  if (dryRun) for await (const _key of entries()) result.cacheEntries += 1;
  else await deleteEntries(content.storage, entries(), result, options);
  if (found + result.cacheEntries + result.problemCount === 0) await requireArtifact(content, path, options);
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
