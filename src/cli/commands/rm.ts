import { isStowageError, StowageError } from '../../errors.ts';
import { formatStorePath, type RunPath } from '../../views/paths.ts';
import type { CommandDeclaration } from '../declaration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { withStore, withStoreAddress } from '../store.ts';
import { parseStorePath, splitArtifact } from '../store-path.ts';
import { workOnItems } from '../ui/progress-line.ts';

interface RmOptions {
  contentOnly?: boolean;
  evenPinned?: boolean;
  yes?: boolean;
}

/** Parts of a path before the attempt. */
const TASK_PARTS = 4;

/** `stowage rm <flow>/<run>[/<step>[/<task>[/<attempt>][/<artifact>]]]` */
export const rm: CommandDeclaration = {
  name: 'rm',
  text: 'delete a run, a step, a task or an attempt, or the content of an artifact',
  arguments: [
    {
      form: '<path>',
      text: '<flow>/<run>[/<step>[/<task>[/<attempt>][/<artifact>]]]',
      completion: { path: TASK_PARTS + 1 },
    },
  ],
  options: [
    { flags: '--content-only', text: 'delete its content, and keep its history' },
    { flags: '--even-pinned', text: 'a run that is pinned, too' },
    { flags: '-y, --yes', text: 'do it; without this, only tell what would be done' },
  ],
  async run(invocation: Invocation, [text]: [string], options: RmOptions) {
    const { contentOnly, evenPinned, yes = false } = options;
    const path = await findPath(invocation, text);
    const { removeDecorated } = await import('../../maintenance/retention/remove.ts');
    const { reportRetention, remarkRetention, retentionJson } = await import(
      '../collection/report-retention.ts'
    );
    const { signal } = invocation;
    const onProgress = ({ done, total }: { done: number; total: number | undefined }): void =>
      invocation.progress(() => workOnItems('deleting', done, total, 'attempts'));
    const what = { path, contentOnly, evenPinned, dryRun: !yes, signal, onProgress };
    const result = await inWordsOfOptions(() =>
      withStoreAddress(invocation, (store, decorate) => removeDecorated({ ...what, store }, decorate)),
    );
    if (result.problemCount > 0) invocation.exitCode = EXIT.partial;
    if (invocation.json) return invocation.output.json({ path, ...retentionJson(result) });
    await reportRetention(invocation, result);
    remarkRetention(invocation, result);
    invocation.note(
      yes
        ? 'what nothing else needs of it still takes space, until the next gc.'
        : 'nothing was deleted. To delete it: --yes',
    );
  },
};

/** The path with the id of the run that is meant; it leads somewhere. */
async function findPath(invocation: Invocation, text: string): Promise<string> {
  const { path: before, artifact } = splitArtifact(text);
  const given = parseStorePath(before, artifact === undefined ? 1 : TASK_PARTS, TASK_PARTS + 1);
  return withStore(invocation, async (store) => {
    const { reachRun } = await import('../reach.ts');
    const { meantPath } = await import('../meant-run.ts');
    const { missing } = await import('../../views/not-found.ts');
    const { attempt, ...path } = await meantPath(invocation, store, given);
    const reached: RunPath = await reachRun(store, path);
    const error = await missing(store, reached);
    if (error) throw error;
    // Of attempts and artifacts the removal itself tells what there is.
    return [formatStorePath(reached), attempt, artifact].filter((part) => part !== undefined).join('/');
  });
}

/** What a program says by options, a command line says by others. */
async function inWordsOfOptions<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isStowageError(error, 'RUN_PINNED')) throw error;
    const message = error.message.replace('pass evenPinned: true', 'give --even-pinned');
    throw new StowageError(error.code, message, { details: error.details, cause: error });
  }
}
