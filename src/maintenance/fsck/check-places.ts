import { isStowageError } from '../../errors.ts';
import { isPlaceId, OWNER_NAME, placeRecordName } from '../../format/place-records.ts';
import { isStoreName } from '../../format/store-names.ts';
import type { Checking } from './checking.ts';
import { problemOf } from './faults.ts';
import type { Finding } from './finding.ts';

const FOLDER = 'elsewhere/';

/** Layer `places`: the records of other places, and what marks each as this store's. Those that can be read are opened for what follows. */
export async function* checkPlaces(checking: Checking): AsyncGenerator<Finding, void> {
  const { content, call } = checking;
  for await (const { name } of checking.list(FOLDER)) {
    if (!isPlaceId(name.slice(FOLDER.length, -'.json'.length)) || !isStoreName(name))
      yield checking.foreign('places', name);
  }
  for (const { id, problem } of await content.otherPlaces.list(call)) {
    const about = { layer: 'places', object: placeRecordName(id), severity: 'lost' } as const;
    if (problem) {
      const fault = problemOf(problem);
      const isOther = fault.problem === 'damaged' && /another place/.test(fault.error.message);
      yield checking.found(about, isOther ? 'misplaced' : fault.problem, fault.error.message);
      continue;
    }
    try {
      checking.places.set(id, await content.at(id, call));
    } catch (error) {
      if (isStowageError(error, 'NOT_A_STORE')) continue; // whose places they are is what stowage.json tells
      // One that is down is not the store.
      const { error: fault } = isStowageError(error) && !isOver(error.code) ? { error } : problemOf(error);
      yield checking.found(about, 'unreadable', fault.message);
    }
  }
  for (const [id, { storage, reader }] of checking.places) {
    if (id === '') continue;
    const about = { layer: 'places', place: id, object: OWNER_NAME, severity: 'lost' } as const;
    const owner = await checking.examine(about, () => isMarked(reader.checkPlace(call)));
    if (owner !== 'gone' && 'finding' in owner) {
      const { finding } = owner;
      // Whoever lacks the mark takes the place for one that is not there: contents are lost to readers, not gone.
      yield finding.problem === 'missing'
        ? { ...finding, message: `${storage.uri(OWNER_NAME)} is missing. ${finding.message}` }
        : finding;
    }
  }
}

async function isMarked(checked: Promise<void>): Promise<true> {
  await checked;
  return true;
}

function isOver(code: string): boolean {
  return code === 'ABORTED' || code === 'STORAGE_CLOSED';
}
