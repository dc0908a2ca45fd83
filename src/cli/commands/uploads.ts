import type { FoundWrite } from '../../maintenance/unfinished-writes.ts';
import { countOf, formatBytes, formatDuration } from '../../options/figures.ts';
import type { DataStoreStorage } from '../../storage/contract.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { ageCell, nameCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';
import { parseAge } from '../ui/times.ts';

interface UploadsOptions {
  olderThan: string;
  yes?: boolean;
}

/** An unfinished upload in the JSON of `stowage uploads`. */
interface UploadJson {
  /** The address of the place elsewhere, if it is not in the store itself. */
  place?: string;
  name: string;
  id: string;
  startedAt: string;
  /** The bytes that it takes up; `null` if the storage does not tell. */
  bytes: number | null;
  removed: boolean;
}

const COLUMNS: readonly Column[] = [
  { header: 'OBJECT', shrinks: true },
  { header: 'BEGUN' },
  { header: 'SIZE', align: 'right', dropOrder: 1 },
  { header: '' },
];
/** Younger ones may be under way. */
const SURELY_DEAD_MS = 24 * 60 * 60 * 1000;

/** `stowage uploads` */
export const uploads: CommandDeclaration = {
  name: 'uploads',
  text: 'find uploads that never ended, and remove them',
  options: [
    { flags: '--older-than <age>', text: 'only those older than this (12h, 7d)', default: '7d' },
    { flags: '--yes', text: 'remove them; without it they are only shown' },
  ],
  async run(invocation: Invocation, _: [], options: UploadsOptions) {
    const olderThanMs = parseAge(options.olderThan, '--older-than');
    await withStore(invocation, async (store) => {
      const { UnfinishedSearch } = await import('../../maintenance/unfinished-writes.ts');
      const { signal } = invocation;
      const onProblem = (error: Error): void => invocation.failed(error);
      const search = new UnfinishedSearch(store.content, { olderThanMs, signal, onProblem });
      const found: UploadJson[] = [];
      for await (const one of search.find()) {
        const removed = options.yes === true && (await remove(invocation, one));
        found.push(toJson(one, removed));
      }
      const { isListed, others } = search;
      if (!isListed) return explainWhyNone(invocation, store.storage);
      await print(invocation, options, found);
      if (others > 0) {
        const are = others === 1 ? 'is' : 'are';
        invocation.note(
          `${countOf(others, 'unfinished upload')} there ${are} left alone: no store gives an object such a name.`,
        );
      }
      if (olderThanMs < SURELY_DEAD_MS && !options.yes && found.length > 0) {
        invocation.note('some may be under way. A writer whose upload is removed fails.');
      }
    });
  },
};

/** Tells at the end what cannot be removed, and removes the others. */
async function remove(invocation: Invocation, found: FoundWrite): Promise<boolean> {
  try {
    await found.remove(invocation);
    return true;
  } catch (error) {
    if (invocation.signal.aborted) throw error;
    invocation.failed(error as Error);
    return false;
  }
}

async function explainWhyNone(invocation: Invocation, { type, unfinished }: DataStoreStorage): Promise<void> {
  const expireAfterMs = unfinished?.kind === 'expiring' ? unfinished.afterMs : null;
  if (invocation.json) return invocation.output.json({ listed: false, expireAfterMs, uploads: [] });
  if (expireAfterMs === null)
    return invocation.note(`a store of kind ${type} keeps no uploads that never ended.`);
  const time = formatDuration(expireAfterMs);
  invocation.note(
    `nothing to do. A store of kind ${type} does not list them, and removes them by itself after ${time}.`,
  );
}

async function print(
  invocation: Invocation,
  { olderThan, yes }: UploadsOptions,
  found: readonly UploadJson[],
): Promise<void> {
  if (invocation.json) return invocation.output.json({ listed: true, expireAfterMs: null, uploads: found });
  if (found.length === 0) return invocation.note(`no unfinished upload is older than ${olderThan}.`);
  await invocation.output.table(
    COLUMNS,
    found.map((upload) => row(upload, yes === true)),
  );
  const bytes = found.reduce((sum, upload) => sum + (upload.bytes ?? 0), 0);
  const all = `${countOf(found.length, 'unfinished upload')}, ${formatBytes(bytes)}`;
  if (!yes) return invocation.note(`${all}: nothing was removed. To remove: --yes`);
  const removed = found.filter((upload) => upload.removed).length;
  invocation.note(`${all}: ${removed === found.length ? 'all' : removed} removed.`);
}

function row({ place, name, startedAt, bytes, removed }: UploadJson, wasAsked: boolean): Cell[] {
  const age = ageCell(startedAt);
  const size = bytes === null ? '-' : formatBytes(bytes);
  const object = nameCell(place === undefined ? name : `${name} at ${place}`);
  if (!wasAsked) return [object, age, size, ''];
  return [object, age, size, removed ? 'removed' : { text: 'not removed', style: 'red' }];
}

function toJson({ write, place }: FoundWrite, removed: boolean): UploadJson {
  const { name, id, startedAtMs, bytes = null } = write;
  const startedAt = new Date(startedAtMs).toISOString();
  return { ...(place === undefined ? {} : { place }), name, id, startedAt, bytes, removed };
}
