import type { ErasureHolder, ErasureResult } from '../../maintenance/erasure/erasure-report.ts';
import { countOf, formatCount } from '../../options/figures.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { nameCell } from '../ui/cells.ts';
import { workOnItems } from '../ui/progress-line.ts';
import type { Column } from '../ui/table.ts';

interface EraseCommandOptions {
  reason?: string;
  yes?: boolean;
  continue?: boolean;
}

/** Holders, and sessions that are waited for, which people are shown. */
const MAX_SHOWN = 20;
const COLUMNS: readonly Column[] = [
  { header: 'HOLDS IT', shrinks: true },
  { header: 'ARTIFACTS', shrinks: true },
  { header: 'BESIDE', shrinks: true, dropOrder: 1 },
];

/** `stowage erase <what>` */
export const erase: CommandDeclaration = {
  name: 'erase',
  text: 'erase a content from every run, and say why',
  arguments: [
    {
      form: '[what]',
      text: '<flow>/<run>/<step>/<task>[/<attempt>]/<artifact>, or a key: its first eight digits or more',
      completion: { path: 5 },
    },
  ],
  options: [
    { flags: '--reason <text>', text: 'why; everybody is told who asks for what was erased' },
    { flags: '-y, --yes', text: 'do it; without this, only tell what would be done' },
    { flags: '--continue', text: 'go on with erasures that had to wait, or were interrupted' },
  ],
  async run(invocation: Invocation, [what]: [string?], options: EraseCommandOptions) {
    check(what, options);
    const { reason, yes = false } = options;
    const results = await withStore(invocation, async ({ content }) => {
      const { continueIn, eraseIn } = await import('../../maintenance/erasure/erase-from-store.ts');
      const { signal } = invocation;
      const onProgress = ({ step, done }: { step: string; done: number }): void =>
        invocation.progress(() => workOnItems('erasing', done, undefined, step));
      if (options.continue) return continueIn(content, { signal, onProgress });
      return [await eraseIn(content, { target: what as string, reason, dryRun: !yes, signal, onProgress })];
    });
    await report(invocation, results, options.continue === true);
  },
};

function check(what: string | undefined, { reason, yes, continue: goesOn }: EraseCommandOptions): void {
  if (goesOn && (what !== undefined || reason !== undefined || yes))
    throw usageError('--continue goes on with what was begun: leave out what to erase, --reason and --yes.');
  if (goesOn) return;
  if (what === undefined)
    throw usageError('Name what to erase: an artifact, or a key. See: stowage help erase');
  if (yes && (reason === undefined || reason.trim() === ''))
    throw usageError('--yes needs --reason: everybody is told it who asks for what was erased.');
}

async function report(
  invocation: Invocation,
  results: readonly ErasureResult[],
  isContinued: boolean,
): Promise<void> {
  if (results.some(isPartial)) invocation.exitCode = EXIT.partial;
  if (invocation.json) {
    const documents = results.map(toJson);
    return invocation.output.json(isContinued ? documents : documents[0]);
  }
  if (results.length === 0) invocation.note('no erasure is to be gone on with.');
  for (const result of results) await tell(invocation, result);
}

/** Something was to be erased, and is not, or could not be looked at. */
function isPartial({ outcome, problems }: ErasureResult): boolean {
  return outcome === 'open' || problems.length > 0;
}

async function tell(invocation: Invocation, result: ErasureResult): Promise<void> {
  const { output } = invocation;
  const { outcome, contents, holders, counts, sharing, sharingCount } = result;
  if (outcome === 'nothing') invocation.note('nothing in the store has it.');
  else {
    if (holders.length > 0) await output.table(COLUMNS, holders.slice(0, MAX_SHOWN).map(row));
    const more = counts.attempts + counts.sessions - Math.min(holders.length, MAX_SHOWN);
    if (more > 0) await output.line(`... and ${formatCount(more)} more`);
    for (const { key, copies, packs } of contents) {
      const inPacks = packs > 0 ? `, chunks in ${countOf(packs, 'pack')}` : '';
      await output.line(`${key}: ${copies === 1 ? '1 copy' : `${formatCount(copies)} copies`}${inPacks}`);
    }
    if (sharingCount > 0) {
      const shown = sharing.slice(0, 3).map((key) => key.slice(0, 12));
      await output.sentence(
        `${countOf(sharingCount, 'other content')} with chunks in the same packs (${shown.join(', ')}${sharingCount > shown.length ? ', ...' : ''}), which stay: packs are written anew without what goes.`,
      );
    }
    await output.sentence(`${outcome === 'dry-run' ? 'would erase' : 'erased'} ${countsText(counts)}`);
  }
  tellWhatIsLeft(invocation, result);
}

function row({
  path,
  artifacts,
  references,
  reports,
  codeOf,
  published,
}: ErasureHolder): ReturnType<typeof nameCell>[] {
  const names = [...artifacts, ...references.map((name) => `${name} (refers to it)`)];
  const beside = [
    ...reports.map((name) => `report ${name}`),
    ...codeOf.map((run) => `code of ${run}`),
    ...published.map((version) => `published version ${version}`),
  ];
  return [nameCell(path), nameCell(names.join(', ')), nameCell(beside.join(', '))];
}

function countsText(counts: ErasureResult['counts']): string {
  const { artifacts, attempts, sessions, reports, partial, cacheEntries } = counts;
  const of = [countOf(attempts, 'attempt'), ...(sessions > 0 ? [countOf(sessions, 'session')] : [])];
  const beside = [
    ...(reports > 0 ? [countOf(reports, 'report')] : []),
    ...(partial > 0 ? [countOf(partial, 'partial record')] : []),
    ...(cacheEntries > 0
      ? [`${formatCount(cacheEntries)} cache ${cacheEntries === 1 ? 'entry' : 'entries'}`]
      : []),
  ];
  return [`${countOf(artifacts, 'artifact')} of ${of.join(' and ')}`, ...beside].join(', ');
}

function tellWhatIsLeft(invocation: Invocation, result: ErasureResult): void {
  const { outcome, waitsFor, waiting, undeleted, problems } = result;
  for (const { path, error } of problems) invocation.note(`${path}: ${error.message}`);
  for (const { name, error } of undeleted) invocation.note(`${name} could not be deleted: ${error.message}`);
  const pinned = waitsFor.filter((session) => session.pinned);
  for (const { path } of pinned.slice(0, MAX_SHOWN)) invocation.note(`${path} is open, and relies on it.`);
  if (waiting > 0) {
    const first = waitsFor.slice(0, 3).map(({ path }) => path);
    const names = `${first.join(', ')}${waiting > first.length ? ', ...' : ''}`;
    invocation.note(`${countOf(waiting, 'session')} open, which may have it: ${names}.`);
  }
  if (outcome === 'dry-run') invocation.note('nothing was erased. To erase: --reason <why> --yes');
  if (outcome === 'open') {
    const when = waiting > 0 ? ' once these are closed' : '';
    invocation.note(`the erasure is not complete. Go on${when}: stowage erase --continue`);
  }
}

function toJson(result: ErasureResult): object {
  return {
    ...result,
    undeleted: result.undeleted.map(({ error, ...object }) => ({ ...object, error: errorJson(error) })),
    problems: result.problems.map(({ path, error }) => ({ path, error: errorJson(error) })),
  };
}

function errorJson(error: Error & { code?: string }): object {
  return { code: error.code, message: error.message };
}
