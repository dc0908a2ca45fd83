import { isStowageError, StowageError } from '../../errors.ts';
import type { CollectStoreProgress, CollectStoreStep } from '../../maintenance/collect-store.ts';
import type { RetentionPolicy } from '../../maintenance/retention/policy.ts';
import { ageOf } from '../../options/figures.ts';
import { usageError } from '../cli-error.ts';
import { policyOfOptions, RULE_OPTIONS, type RuleOptions } from '../collection/policy-options.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStoreAddress } from '../store.ts';
import { type LongWork, workOnItems } from '../ui/progress-line.ts';
import { parseLimit } from '../ui/sizes.ts';

interface GcOptions extends RuleOptions {
  /** `false` with `--no-policy`. */
  policy?: string | false;
  rewrite?: boolean;
  exclusive?: boolean;
  adopt?: string[];
  evenEverything?: boolean;
  limit?: string;
  yes?: boolean;
}

/** `stowage gc` */
export const gc: CommandDeclaration = {
  name: 'gc',
  text: 'delete what nobody needs any more, to free space',
  options: [
    ...RULE_OPTIONS,
    { flags: '--policy <file>', text: 'by the rules of this JSON file', completion: 'file' },
    { flags: '--no-policy', text: 'by no rules, though the store has a policy' },
    { flags: '--even-everything', text: 'delete every run of the store, if the rules say so' },
    { flags: '--exclusive', text: 'nothing else writes to the store meanwhile: needed on NFS and SMB' },
    {
      flags: '--adopt <id>',
      text: 'collect this place elsewhere too, whatever store it says it is of; repeat it for more',
      repeats: true,
    },
    { flags: '--no-rewrite', text: 'leave packs of which more than a quarter is dead as they are' },
    {
      flags: '-n, --limit <count>',
      text: 'name so many runs that go at most; default: 20, with --json "all"',
    },
    { flags: '-y, --yes', text: 'do it; without this, only tell what would be done' },
  ],
  async run(invocation: Invocation, _: [], options: GcOptions) {
    const { exclusive, adopt, rewrite, evenEverything, yes = false } = options;
    const limit = options.limit === undefined ? undefined : parseLimit(options.limit);
    const asked = await askedPolicy(options, invocation);
    const { collectDecorated } = await import('../../maintenance/collect-store.ts');
    const { reportCollection } = await import('../collection/report-collection.ts');
    const { signal } = invocation;
    const what = {
      exclusive,
      adopt,
      evenEverything,
      rewrite: rewrite === false ? (false as const) : undefined,
    };
    const onProgress = (at: CollectStoreProgress): void => invocation.progress(() => workOf(at));
    const result = await interruptible(invocation, yes, () =>
      withStoreAddress(invocation, async (store, decorate) => {
        const policy =
          asked ?? (options.policy === false ? undefined : await storedPolicy(invocation, store));
        return collectDecorated({ ...what, policy, store, dryRun: !yes, signal, onProgress }, decorate);
      }),
    );
    await reportCollection(invocation, result, limit);
  },
};

/**
 * The policy that the command line asks for; `undefined` where it says nothing.
 *
 * @throws CliError `USAGE`, `INPUT_FAILED`
 */
async function askedPolicy(options: GcOptions, { signal }: Invocation): Promise<RetentionPolicy | undefined> {
  const ofOptions = policyOfOptions(options);
  if (ofOptions && options.policy !== undefined)
    throw usageError('Give rules as options, or --policy, or --no-policy: one of these.');
  if (typeof options.policy !== 'string') return ofOptions;
  const { readPolicyFile } = await import('../collection/policy-file.ts');
  return readPolicyFile(options.policy, { signal });
}

/** The store's own policy, which is told: it deletes though nobody named a rule. */
async function storedPolicy(invocation: Invocation, store: string): Promise<RetentionPolicy | undefined> {
  const { readRetentionPolicy } = await import('../../maintenance/stored-policy.ts');
  const stored = await readRetentionPolicy({ store, signal: invocation.signal });
  if (stored) {
    invocation.note(
      `by the policy of the store, saved ${ageOf(stored.at)}. It is shown by: stowage policy show`,
    );
  }
  return stored?.policy;
}

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
    throw inWordsOfOptions(error);
  }
}

/** What a program says by options, a command line says by others. */
function inWordsOfOptions(error: unknown): unknown {
  if (!isStowageError(error)) return error;
  const { code, message, details } = error;
  const said = message
    .replace('{ exclusive: true }', '--exclusive')
    .replace(
      'pass evenEverything: true; look at it before with planRetention.',
      'give --even-everything as well; without --yes it is only told.',
    );
  return said === message ? error : new StowageError(code, said, { details, cause: error });
}

const STEPS: Readonly<Record<CollectStoreStep, readonly [title: string, noun: string]>> = {
  look: ['looking at runs', 'runs'],
  cache: ['looking at the cache', 'entries'],
  count: ['counting what goes', 'attempts'],
  'give-up': ['deleting runs', 'runs'],
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
