import { isStowageError } from '../../errors.ts';
import type {
  DataStoreStorage,
  ListedWrites,
  UnfinishedWrite,
  UnfinishedWrites,
} from '../../storage/contract.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { ageCell, nameCell } from '../ui/cells.ts';
import { countOf, formatBytes } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { formatDuration, parseAge } from '../ui/times.ts';

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
      const found: UploadJson[] = [];
      let isListed = false;
      let others = 0;
      const asked = { olderThanMs, details: true, signal: invocation.signal };
      const { isStoreName } = await import('../../format/store-names.ts');
      for await (const { unfinished, place } of placesOf(invocation, store)) {
        if (unfinished?.kind !== 'listed') continue;
        isListed = true;
        try {
          for await (const write of unfinished.find(asked)) {
            // In a bucket that others use, theirs may have any name.
            if (!isStoreName(write.name)) {
              others += 1;
              continue;
            }
            const removed = options.yes === true && (await remove(invocation, unfinished, write));
            found.push({ ...(place === undefined ? {} : { place }), ...toJson(write, removed) });
          }
        } catch (error) {
          if (place === undefined || !isStowageError(error) || error.code === 'ABORTED') throw error;
          invocation.failed(error);
        }
      }
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

/** The store itself, and the places elsewhere that hold content of it. One that cannot be opened is told at the end. */
async function* placesOf(
  invocation: Invocation,
  { storage, content }: OpenStore,
): AsyncGenerator<{ unfinished: UnfinishedWrites | undefined; place?: string }> {
  const { signal } = invocation;
  yield { unfinished: storage.unfinished };
  for (const { id, uri, problem } of await content.places({ signal })) {
    if (uri === undefined) {
      if (problem) invocation.failed(problem);
      continue;
    }
    try {
      yield { unfinished: (await content.at(id, { signal })).storage.unfinished, place: uri };
    } catch (error) {
      if (!isStowageError(error, 'PLACE_UNREACHABLE', 'PLACE_NOT_TRUSTED')) throw error;
      invocation.failed(error);
    }
  }
}

/** Tells at the end what cannot be removed, and removes the others. */
async function remove(
  invocation: Invocation,
  unfinished: ListedWrites,
  write: UnfinishedWrite,
): Promise<boolean> {
  try {
    await unfinished.remove(write, invocation);
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

function toJson({ name, id, startedAtMs, bytes }: UnfinishedWrite, removed: boolean): UploadJson {
  return { name, id, startedAt: new Date(startedAtMs).toISOString(), bytes: bytes ?? null, removed };
}
