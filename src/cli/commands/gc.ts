import { isStowageError, StowageError } from '../../errors.ts';
import type { CollectStoreProgress, CollectStoreStep } from '../../maintenance/collect-store.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStoreAddress } from '../store.ts';
import { type LongWork, workOnItems } from '../ui/progress-line.ts';

interface GcOptions {
  rewrite?: boolean;
  exclusive?: boolean;
  adopt?: string[];
  yes?: boolean;
}

/** `stowage gc` */
export const gc: CommandDeclaration = {
  name: 'gc',
  text: 'delete what nobody needs any more, to free space',
  options: [
    { flags: '--exclusive', text: 'nothing else writes to the store meanwhile: needed on NFS and SMB' },
    {
      flags: '--adopt <id>',
      text: 'collect this place elsewhere too, whatever store it says it is of; repeat it for more',
      repeats: true,
    },
    { flags: '--no-rewrite', text: 'leave packs of which more than a quarter is dead as they are' },
    { flags: '-y, --yes', text: 'do it; without this, only tell what would be done' },
  ],
  async run(invocation: Invocation, _: [], { exclusive, adopt, rewrite, yes = false }: GcOptions) {
    const { collectDecorated } = await import('../../maintenance/collect-store.ts');
    const { reportCollection } = await import('../collection/report-collection.ts');
    const { signal } = invocation;
    const what = { exclusive, adopt, rewrite: rewrite === false ? (false as const) : undefined };
    const onProgress = (at: CollectStoreProgress): void => invocation.progress(() => workOf(at));
    const result = await interruptible(invocation, yes, () =>
      withStoreAddress(invocation, (store, decorate) =>
        collectDecorated({ ...what, store, dryRun: !yes, signal, onProgress }, decorate),
      ),
    );
    await reportCollection(invocation, result);
  },
};

/** Says how to go on, where somebody ends it early, and how to do what was refused. */
async function interruptible<T>(invocation: Invocation, yes: boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (invocation.signal.aborted && yes) {
      invocation.note(
        'what was deleted is gone, and nothing that is needed. To go on, give the same command again.',
      );
    }
    if (!isStowageError(error, 'STORAGE_UNSUPPORTED') || error.details.remedy !== 'exclusive') throw error;
    const message = error.message.replace('{ exclusive: true }', '--exclusive');
    throw new StowageError(error.code, message, { details: error.details, cause: error });
  }
}

const STEPS: Readonly<Record<CollectStoreStep, readonly [title: string, noun: string]>> = {
  mark: ['finding what is needed', 'attempts'],
  rewrite: ['writing packs anew', 'contents'],
  propose: ['noting what is not', 'objects'],
  're-mark': ['looking again', 'attempts'],
  final: ['noting what goes', 'objects'],
  delete: ['deleting', 'objects'],
  idle: ['ending', 'objects'],
  unfinished: ['looking for unfinished writes', 'writes'],
};

function workOf({ step, stepItemsDone }: CollectStoreProgress): LongWork {
  const [title, noun] = STEPS[step];
  return workOnItems(title, stepItemsDone, undefined, noun);
}
