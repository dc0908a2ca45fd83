import type { CallOptions, DataStoreStorage } from '../../../storage/contract.ts';
import { type ListedSession, listSessions } from '../../collection/session-listing.ts';
import { MergeJoin } from '../../merge-join.ts';
import type { RepairContext, SourceStore } from './repair-context.ts';

/** The part of a store that is mended. Default: all of it. */
export interface ComparedPart {
  flowName?: string | undefined;
  runId?: string | undefined;
}

/** The beginning of the names of a part, behind their folder. */
export function partPrefix({ flowName, runId }: ComparedPart): string {
  return [flowName, runId]
    .filter((name) => name !== undefined)
    .map((name) => `${name}/`)
    .join('');
}

/** The sessions of which a source has records that should not be missing here, by the beginning of their names. One LIST of both. */
export async function* lackingSessions(
  { target, options }: RepairContext,
  { store }: SourceStore,
  of: ComparedPart,
): AsyncGenerator<string, void> {
  const part = partPrefix(of);
  const prefixes = part === '' ? undefined : [`flows/${part}`];
  const idOf = ({ base }: ListedSession): string => `${base}.`;
  const here = new MergeJoin(listSessions(target.storage, options, prefixes), idOf);
  try {
    for await (const theirs of listSessions(store.storage, options, prefixes)) {
      const ours = await here.at(idOf(theirs));
      if (ours && lacks(ours, theirs)) yield ours.base;
    }
  } finally {
    await here.close();
  }
}

/** The runs that are known here, and of which a source has more records. */
export async function* lackingRuns(
  { target, options }: RepairContext,
  { store }: SourceStore,
  of: ComparedPart,
): AsyncGenerator<{ flow: string; run: string }, void> {
  let last = '';
  for await (const page of store.storage.list({ prefix: `runs/${partPrefix(of)}`, ...options })) {
    for (const { name } of page.objects) {
      const [, flow = '', run = '', file = ''] = name.split('/');
      const ofRun = `runs/${flow}/${run}/`;
      if (ofRun === last || !/^(created|finished)/.test(file)) continue;
      last = ofRun;
      const here = await namesIn(target.storage, ofRun, options);
      const there = await namesIn(store.storage, ofRun, options);
      const isKnown = here.size > 0 || (await hasTask(target.storage, flow, run, options));
      if (isKnown && [...there].some((one) => !here.has(one))) yield { flow, run };
    }
  }
}

/** Files which a source has of a session, and which should not be missing here. */
function lacks(ours: ListedSession, theirs: ListedSession): boolean {
  if (!theirs.files.has('done')) return false;
  if (!ours.files.has('done') || !ours.files.has('attempt')) return true;
  const isDescribed = ours.files.has('metadata') || ours.erasedRevision !== undefined;
  return !isDescribed && !ours.files.has('deleted') && theirs.files.has('metadata');
}

async function namesIn(
  storage: DataStoreStorage,
  prefix: string,
  options: CallOptions,
): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const page of storage.list({ prefix, ...options }))
    for (const { name } of page.objects) names.add(name);
  return names;
}

async function hasTask(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  options: CallOptions,
): Promise<boolean> {
  for await (const _session of listSessions(storage, options, [`flows/${flow}/${run}/`])) return true;
  return false;
}
