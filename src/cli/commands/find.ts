import { formatBytes } from '../../options/figures.ts';
import type { FoundArtifact, FoundAttempt } from '../../store-index/find.ts';
import type { FoundStatus } from '../../store-index/find-conditions.ts';
import { shortKey } from '../../views/artifact-texts.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { INDEX_OPTIONS, type IndexOptions, withAskedIndex, withRunId } from '../questions/asked-index.ts';
import { parseMetadata } from '../questions/metadata-conditions.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { ageCell, durationCell, nameCell, statusCell } from '../ui/cells.ts';
import { parseLimit } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { parseSince } from '../ui/times.ts';

interface FindCommandOptions extends IndexOptions {
  step?: string;
  artifact?: string;
  type?: string;
  key?: string;
  tag?: readonly string[];
  status?: FoundStatus;
  since?: string;
  metadata?: readonly string[];
  allAttempts?: boolean;
  limit: string;
}

/** `stowage find [path]` */
export const find: CommandDeclaration = {
  name: 'find',
  text: 'find attempts by metadata, artifacts, tags and status, newest first',
  arguments: [pathArgument('[path]', 1, 4)],
  options: [
    { flags: '--step <name>', text: 'only attempts of this step, in all runs of the path' },
    {
      flags: '--metadata <condition>',
      text: 'only with metadata such as auc>0.9, lang=en or auc; repeat it for more',
      repeats: true,
    },
    { flags: '--artifact <name>', text: 'only with an artifact of this name' },
    { flags: '--type <type>', text: 'only with an artifact of this type, as show tells it' },
    { flags: '--key <key>', text: 'only with content of this key; 8 digits or more' },
    { flags: '--tag <tag>', text: 'only of runs with this tag; repeat it for runs with all', repeats: true },
    {
      flags: '--status <status>',
      text: 'only of this status',
      choices: [
        'open',
        'done',
        'failed',
        'abandoned',
        'deleted',
        'damaged',
        'unreadable',
      ] satisfies FoundStatus[],
    },
    { flags: '--since <age>', text: 'only started since: an age (12h, 7d) or a date (2026-01-31)' },
    { flags: '--all-attempts', text: 'earlier attempts of tasks too; without this the latest of each' },
    { flags: '-n, --limit <count>', text: 'how many at most; "all" for no limit', default: '50' },
    ...INDEX_OPTIONS,
  ],
  async run(invocation: Invocation, [text]: [string?], options: FindCommandOptions) {
    const { step, artifact, type, key, tag, status, since, allAttempts } = options;
    const given = parseStorePath(text, 0, 4);
    if (step !== undefined && given.step !== undefined)
      throw usageError('The path names a step, and --step another: give one of them.');
    const limit = parseLimit(options.limit);
    const conditions = {
      ...{ step, artifact, type, key, tag, status, allAttempts },
      since: since === undefined ? undefined : new Date(parseSince(since, '--since')),
      metadata: parseMetadata(options.metadata ?? []),
    };
    const path = await withRunId(invocation, given);
    await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => {
      const found: FoundAttempt[] = [];
      const { signal } = invocation;
      let isCut = false;
      // One more than is shown, which tells that there are more.
      const most = Number.isFinite(limit) ? limit + 1 : undefined;
      for await (const one of index.find({ ...conditions, ...path, limit: most, signal })) {
        isCut = found.length === limit;
        if (!isCut) found.push(one);
      }
      if (invocation.json) {
        const attempts = invocation.output.firstOf(found);
        isCut ||= attempts.length < found.length;
        return invocation.output.json({ caughtUpAt, attempts, isCut });
      }
      await print(invocation, found, isCut);
    });
  },
};

async function print(invocation: Invocation, found: readonly FoundAttempt[], isCut: boolean): Promise<void> {
  if (found.length === 0) return invocation.note('no attempt matches.');
  const asked = [...new Set(found.flatMap(({ metadata }) => Object.keys(metadata)))].sort();
  const columns: readonly Column[] = [
    { header: 'ATTEMPT', shrinks: true },
    { header: 'STATUS' },
    ...asked.map((header) => ({ header, shrinks: true }) as const),
    { header: 'STARTED', dropOrder: 2 },
    { header: 'TOOK', align: 'right', dropOrder: 1 },
    { header: 'ARTIFACTS', dropOrder: 3, shrinks: true },
  ];
  const rows = found.map((one): Cell[] => [
    nameCell(one.pathspec),
    statusCell(one),
    ...asked.map((path) => (path in one.metadata ? String(one.metadata[path]) : '')),
    ageCell(one.startedAt),
    durationCell(one.durationMs),
    one.artifacts.map(artifactText).join(', '),
  ]);
  await invocation.output.table(columns, rows);
  if (isCut) invocation.note('there are more; all of them: --limit all');
}

function artifactText({ name, bytes, key }: FoundArtifact): string {
  return `${name} (${formatBytes(bytes)}, ${shortKey(key)})`;
}
