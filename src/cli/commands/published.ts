import { printable } from '../../codec/printable-text.ts';
import { formatBytes } from '../../options/figures.ts';
import type { PublishedVersion } from '../../published/published-version.ts';
import type { PublishedSummary } from '../../published/published-versions.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { ageCell, nameCell } from '../ui/cells.ts';
import type { Sink } from '../ui/output.ts';
import { parseLimit, parseOffset } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { parseVersion } from './publish.ts';

interface PublishedCommandOptions {
  output?: string;
  force?: boolean;
  withdraw?: boolean;
  yes?: boolean;
  of?: string;
  limit?: string;
  offset?: string;
}

/** The versions that are listed: of this source, behind so many, so many at most. */
interface ListedChoice {
  of: string | undefined;
  limit: number;
  offset: number;
}

/** Published versions belong to no flow, and a store is opened by one. */
const ANY_FLOW = 'published';
const COLUMNS: readonly Column[] = [
  { header: 'NAME', shrinks: true },
  { header: 'VERSION', align: 'right' },
  { header: 'TYPE', dropOrder: 3 },
  { header: 'SIZE', align: 'right', dropOrder: 2 },
  { header: 'AGE', align: 'right', dropOrder: 4 },
  { header: 'SOURCE', shrinks: true, dropOrder: 5 },
  { header: 'DESCRIPTION', shrinks: true, dropOrder: 1 },
];

/** `stowage published [name[/version]]` */
export const published: CommandDeclaration = {
  name: 'published',
  text: 'list published versions, show or write one, or withdraw it',
  arguments: [
    {
      form: '[name]',
      text: '<name>[/<version>]; without a version all of the name, without a name the latest of each',
    },
  ],
  options: [
    {
      flags: '-o, --output <file>',
      text: 'write the value to this file, whole or not at all; "-" for stdout; without a version the latest',
      completion: 'file',
    },
    { flags: '--force', text: 'replace a file that exists' },
    {
      flags: '--of <path>',
      text: 'of a list: only artifacts of this run, step, task or attempt, or this artifact: <flow>/<run>/<step>/<task>/<attempt>/<artifact>',
    },
    { flags: '-n, --limit <count>', text: 'of a list: how many at most; default: "all"' },
    { flags: '--offset <count>', text: 'of a list: leave out so many that come before' },
    { flags: '--withdraw', text: 'withdraw the version for good; needs --yes' },
    { flags: '-y, --yes', text: 'do it' },
  ],
  async run(invocation: Invocation, [text]: [string?], options: PublishedCommandOptions) {
    const { output: file, withdraw = false } = options;
    const { name, version } = parseVersionPath(text);
    if (file === '') throw usageError('-o names no file; "-" is the standard output.');
    if (withdraw && (name === undefined || version === undefined))
      throw usageError('--withdraw takes one version: <name>/<version>.');
    if (file !== undefined && name === undefined)
      throw usageError('-o writes one version: name it, <name>[/<version>].');
    if (file !== undefined && (withdraw || invocation.json))
      throw usageError('-o writes the value; leave --withdraw and --json out.');
    const isList = file === undefined && version === undefined;
    if (!isList && [options.of, options.limit, options.offset].some((given) => given !== undefined))
      throw usageError('--of, --limit and --offset are for a list of versions.');
    const choice: ListedChoice = {
      of: options.of?.replace(/\/$/, ''),
      limit: parseLimit(options.limit ?? 'all'),
      offset: parseOffset(options.offset),
    };
    await withStore(invocation, async (store) => {
      if (withdraw)
        return withdrawOne(invocation, store, name as string, version as number, options.yes ?? false);
      const { signal } = store;
      const flow = await store.flow(ANY_FLOW);
      if (file !== undefined) {
        const found = await flow.getPublished(name as string, version ?? 'latest', { signal });
        return writeValue(invocation, found, file, options.force ?? false);
      }
      if (name !== undefined && version !== undefined)
        return showOne(invocation, await flow.getPublished(name, version, { signal }));
      const { of, limit, offset } = choice;
      // One more than is told, which tells that there are more; those of a source are found among all.
      const read = of === undefined && Number.isFinite(limit) ? { limit: offset + limit + 1 } : {};
      const all = await flow.listPublished({ name, withdrawn: name !== undefined, ...read, signal });
      if (name !== undefined && all.length === 0) await flow.getPublished(name, 'latest', { signal }); // says what there is
      await list(invocation, all, choice);
    });
  },
};

function parseVersionPath(text: string | undefined): { name?: string; version?: number } {
  if (text === undefined) return {};
  const [name = '', version, ...more] = text.replace(/\/$/, '').split('/');
  if (more.length > 0 || name === '')
    throw usageError(`${JSON.stringify(text)} is not of the form <name>[/<version>].`, { name: text });
  return version === undefined ? { name } : { name, version: parseVersion(version) };
}

async function withdrawOne(
  invocation: Invocation,
  store: OpenStore,
  name: string,
  version: number,
  yes: boolean,
): Promise<void> {
  const { signal } = store;
  const flow = await store.flow(ANY_FLOW);
  const { output, json } = invocation;
  if (!yes) {
    const found = await flow.getPublished(name, version, { signal });
    if (json) return output.json({ ...found.toJSON(), withdrawn: false });
    await output.line(printable(`would withdraw ${name}/${version}: ${found.artifact} of ${found.source}`));
    return invocation.note('nothing was withdrawn. To withdraw it for good: --yes');
  }
  await flow.withdrawPublished(name, version, { signal });
  if (json) return output.json({ name, version, withdrawn: true });
  await output.line(printable(`${name}/${version} is withdrawn`));
}

async function writeValue(
  invocation: Invocation,
  found: PublishedVersion,
  file: string,
  force: boolean,
): Promise<void> {
  const { ownForm, writeArtifact } = await import('../values/artifact-writer.ts');
  const task = {
    info: () => found.info,
    get: <T>(_name: string, options?: object) => found.load<T>(options),
    streamArtifact: (_name: string, options?: object) => found.stream(options),
  };
  const form = ownForm(found.info);
  const write = (sink: Sink): Promise<void> =>
    writeArtifact({ task, invocation }, found.artifact, form, sink);
  const { output, signal } = invocation;
  if (file !== '-') {
    const { toFile } = await import('../files/output-file.ts');
    return toFile(file, signal, write, { overwrite: force, followLinks: true });
  }
  if (!output.isTerminal) return write(output);
  const { TerminalSink } = await import('../ui/terminal-filter.ts');
  const sink = new TerminalSink(output, { isJson: form === 'json' });
  await write(sink);
  await sink.end();
}

async function showOne({ output, json }: Invocation, found: PublishedVersion): Promise<void> {
  const { erased } = found;
  const told = erased === undefined ? { info: found.info } : { erased };
  if (json) return output.json({ ...found.toJSON(), withdrawn: false, ...told });
  const { name, version, artifact, source, description, attributes, publishedAt } = found;
  const size =
    erased === undefined ? `${found.info.type}, ${formatBytes(found.info.bytes)}` : `erased: ${erased}`;
  await output.line(printable(`${name}/${version}: ${artifact} of ${source}`));
  await output.line(printable(`published ${publishedAt.toISOString()}; ${size}`));
  if (description !== undefined) await output.text(description);
  for (const [key, value] of Object.entries(attributes))
    await output.line(printable(`${key}: ${JSON.stringify(value)}`));
}

async function list(
  invocation: Invocation,
  all: readonly PublishedSummary[],
  { of, limit, offset }: ListedChoice,
): Promise<void> {
  const { output, json } = invocation;
  const matching = of === undefined ? all : all.filter((one) => isOf(one, of));
  const listed = matching.slice(offset, offset + limit);
  if (json) {
    const shown = output.firstOf(listed.map(summaryJson));
    const next = offset + shown.length;
    const isMore = next < matching.length && shown.length > 0;
    return output.json({ published: shown, ...(isMore ? { next } : {}) });
  }
  if (listed.length === 0) {
    const isOther = of !== undefined && all.length > 0;
    return invocation.note(isOther ? `none is of ${of}.` : 'nothing is published in this store.');
  }
  await output.table(COLUMNS, listed.map(row));
  if (offset + listed.length < matching.length) invocation.note(`there are more; all of them: --limit all`);
  for (const { problem } of listed) if (problem) invocation.failed(problem);
}

/** Tells whether it is the artifact that a path names, or one below it. */
function isOf({ published: found }: PublishedSummary, path: string): boolean {
  return found !== undefined && `${found.source}/${found.artifact}/`.startsWith(`${path}/`);
}

function summaryJson({
  name,
  version,
  withdrawn,
  published: found,
  publishedAt,
  problem,
}: PublishedSummary): object {
  if (found) {
    const { erased } = found;
    return { ...found.toJSON(), withdrawn, ...(erased === undefined ? { info: found.info } : { erased }) };
  }
  const failure = problem && { problem: { code: problem.code, message: problem.message } };
  return {
    name,
    version,
    withdrawn,
    ...(publishedAt ? { publishedAt: publishedAt.toISOString() } : {}),
    ...failure,
  };
}

function row({ name, version, withdrawn, published: found, publishedAt, problem }: PublishedSummary): Cell[] {
  const age = ageCell(publishedAt?.toISOString());
  const head = [nameCell(name), String(version)];
  if (!found) {
    const state = problem ? 'unreadable' : withdrawn ? 'withdrawn' : '';
    return [...head, { text: state, style: problem ? 'red' : 'dim' }, '', age, '', ''];
  }
  const isErased = found.erased !== undefined;
  const [type, size] = isErased ? ['erased', ''] : [found.info.type, formatBytes(found.info.bytes)];
  return [...head, type, size, age, nameCell(found.source), nameCell(found.description ?? '')];
}
