import { shell } from '../../codec/shell-command.ts';
import type { CheckOptions, CheckProgress, StoreCheck } from '../../maintenance/fsck/check-store.ts';
import type { Layer } from '../../maintenance/fsck/finding.ts';
import { countOf } from '../../options/figures.ts';
import { formatStorePath, type StorePath } from '../../views/paths.ts';
import type { CheckedPart, CheckState } from '../checks/check-state.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { withStoreAddress } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';
import { type LongWork, workOnBytes } from '../ui/progress-line.ts';
import { parseLimit } from '../ui/sizes.ts';
import { parseSince } from '../ui/times.ts';

interface FsckOptions {
  sample?: string;
  seed?: string;
  quick?: boolean;
  since?: string;
  state?: string;
  limit?: string;
  repair?: boolean;
  from?: string[];
  yes?: boolean;
}

/** `stowage fsck [flow[/run]]` */
export const fsck: CommandDeclaration = {
  name: 'fsck',
  text: 'check that everything in a store is whole',
  arguments: [pathArgument('[path]', 1, 2, '; default: the whole store')],
  options: [
    { flags: '--quick', text: 'read no content whole: only records, and that contents are there' },
    { flags: '--sample <part>', text: 'read so much of the contents whole: 5%, 0.05; another part each day' },
    { flags: '--seed <number>', text: 'which part --sample reads: parts 0 to 19 of 5% are everything' },
    { flags: '--since <age>', text: 'only what was written since: an age (12h, 7d) or a date (2026-01-31)' },
    {
      flags: '--state <file>',
      text: 'keep in a file how far it is, and go on from there if it was interrupted',
      completion: 'file',
    },
    {
      flags: '-n, --limit <count>',
      text: 'tell so many findings at most, and count the others; default: "all"',
    },
    { flags: '--repair', text: 'mend what is found; without --yes, only tell what would be done' },
    {
      flags: '--from <store>',
      text: 'for --repair: a store that may have what this one lost; repeat it for more',
      repeats: true,
    },
    { flags: '-y, --yes', text: 'for --repair: do it' },
  ],
  async run(invocation: Invocation, [text]: [string?], options: FsckOptions) {
    const path = parseStorePath(text, 0, 2);
    const chosen = parseOptions(options);
    const limit = parseLimit(options.limit ?? 'all');
    if (options.repair) return repair(invocation, path, chosen, options);
    const { CheckState } = await import('../checks/check-state.ts');
    const state = new CheckState(options.state);
    const { checkDecorated } = await import('../../maintenance/fsck/check-store.ts');
    await withStoreAddress(invocation, async (store, decorate) => {
      const checked = await meant(invocation, store, path);
      const { flow: flowName, run: runId } = checked;
      const onProgress = (at: CheckProgress): void => {
        invocation.progress(() => workOf(at));
        state.note(at.cursor, () => running.summary.findings);
      };
      const part = partOf(checked, chosen, state);
      state.begin(part);
      const { sample, seed } = part;
      const since = part.since === null ? undefined : new Date(part.since);
      const resume = state.cursor;
      const { signal } = invocation;
      const asked: CheckOptions = { store, flowName, runId, sample, seed, since, resume, signal, onProgress };
      const running: StoreCheck = checkDecorated(asked, decorate);
      await print(invocation, running, { state, file: options.state, limit });
    });
  },
};

/** Checks and mends. */
async function repair(
  invocation: Invocation,
  path: StorePath,
  { sample, seed, sinceMs }: Chosen,
  { from, yes = false }: FsckOptions,
): Promise<void> {
  const { RepairPrinter } = await import('../checks/print-repair.ts');
  const { repairDecorated } = await import('../../maintenance/fsck/repair/repair-store.ts');
  const printer = new RepairPrinter(invocation, yes);
  await withStoreAddress(invocation, async (store, decorate) => {
    const { flow: flowName, run: runId } = await meant(invocation, store, path);
    const since = sinceMs === undefined ? undefined : new Date(sinceMs);
    const onProgress = (at: CheckProgress): void => invocation.progress(() => workOf(at));
    const { signal } = invocation;
    const what = { store, from, dryRun: !yes, flowName, runId, sample, seed, since, signal, onProgress };
    for await (const step of repairDecorated(what, decorate)) await printer.print(step);
  });
  await printer.end();
}

async function print(
  invocation: Invocation,
  running: StoreCheck,
  { state, file, limit }: { state: CheckState; file: string | undefined; limit: number },
): Promise<void> {
  const { FindingPrinter } = await import('../checks/print-findings.ts');
  const printer = new FindingPrinter(invocation, limit);
  try {
    for await (const finding of running) await printer.print(finding);
  } catch (error) {
    const { cursor, findings } = running.summary;
    state.save(cursor, findings);
    if (file !== undefined && cursor !== undefined)
      invocation.note(`it was read up to ${cursor}. To go on: ${shell`stowage fsck --state ${file}`}`);
    throw error;
  }
  await printer.end(running.summary);
  state.remove();
  const { lost, damaged, unknown } = running.summary.findings;
  const before = state.findings;
  if (lost + damaged + before.lost + before.damaged > 0) invocation.exitCode = EXIT.corruption;
  else if (unknown + before.unknown > 0) invocation.exitCode = EXIT.partial;
}

/** The path with the id of the run that it means. */
async function meant(invocation: Invocation, store: string, path: StorePath): Promise<StorePath> {
  if (path.run === undefined) return path;
  const { openStorage } = await import('../../storage/open.ts');
  const { meantPath } = await import('../meant-run.ts');
  const storage = await openStorage(store);
  try {
    return await meantPath(invocation, { storage, signal: invocation.signal }, path);
  } finally {
    await storage.close();
  }
}

interface Chosen {
  sample: number;
  seed: number | undefined;
  sinceMs: number | undefined;
}

function parseOptions(options: FsckOptions): Chosen {
  const { sample, seed, quick = false, since, state, limit, repair, from, yes } = options;
  if (!repair && (from !== undefined || yes)) throw usageError('--from and --yes are for --repair.');
  if (repair && state !== undefined)
    throw usageError('A repair keeps no state: it goes on by itself. Leave out --state.');
  if (repair && limit !== undefined) throw usageError('A repair tells all that it does. Leave out --limit.');
  if (quick && sample !== undefined) throw usageError('--quick reads no content whole: leave out --sample.');
  if (seed !== undefined && sample === undefined) throw usageError('--seed tells the part of --sample.');
  return {
    sample: quick ? 0 : sample === undefined ? 1 : parsePart(sample),
    seed: seed === undefined ? undefined : parseSeed(seed),
    sinceMs: since === undefined ? undefined : parseSince(since, '--since'),
  };
}

/** What is checked; of a check that is gone on with, the part that this one read, and since when. */
function partOf(path: StorePath, { sample, seed, sinceMs }: Chosen, { before }: CheckState): CheckedPart {
  const today = Math.floor(Date.now() / (24 * 60 * 60 * 1000));
  const isSame = before && (before.since === null) === (sinceMs === undefined);
  const since = sinceMs === undefined ? null : new Date(sinceMs).toISOString();
  return {
    path: formatStorePath(path),
    sample,
    seed: seed ?? before?.seed ?? today,
    since: isSame ? before.since : since,
  };
}

function parsePart(text: string): number {
  const [, digits = '', percent] = /^(\d{1,3}(?:\.\d+)?)( ?%)?$/.exec(text) ?? [];
  const part = Number(digits) / (percent === undefined ? 1 : 100);
  if (digits !== '' && part <= 1) return part;
  throw usageError(`--sample is a part such as 5% or 0.05, not ${JSON.stringify(text)}.`);
}

function parseSeed(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usageError(`--seed is a number from 0 on, not ${JSON.stringify(text)}.`);
}

const TITLES: Readonly<Partial<Record<Layer, string>>> = {
  content: 'reading contents',
  attempts: 'reading attempts',
  log: "reading the collector's log",
};

function workOf({ layer, itemsDone, findings, ...bytes }: CheckProgress): LongWork {
  const { facts } = workOnBytes('', { ...bytes, bytesTotal: undefined });
  const found = findings > 0 ? [countOf(findings, 'finding')] : [];
  return {
    title: TITLES[layer] ?? `reading ${layer}`,
    share: undefined,
    facts: [countOf(itemsDone, 'object'), ...facts, ...found],
  };
}
