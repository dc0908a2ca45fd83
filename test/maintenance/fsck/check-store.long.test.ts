import { beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../../src/maintenance/fsck/finding.ts';
import { check, makeWholeStore, type Objects, storeOf } from './whole-store.ts';

/** A kind of object: an example of it, another of its kind, and the faults of it that nobody can find. */
interface Kind {
  name: RegExp;
  /** Of the other place. */
  elsewhere?: true;
  other?: RegExp;
  unseen?: readonly ('missing' | 'cut' | 'emptied' | 'longer' | 'flipped' | 'swapped')[];
  /** Something else than the object is told of: what is known of it is told by others. */
  tells?: RegExp;
}

const BYTES = ['cut', 'emptied', 'longer', 'flipped', 'swapped'] as const;

const KINDS: Record<string, Kind> = {
  'stowage.json': { name: /^stowage\.json$/ },
  'a policy': { name: /^policy\.00000000/, other: /^policy\.00000001/ },
  'the latest policy': { name: /^policy\.00000001/, unseen: ['missing'] },
  'a place': { name: /^elsewhere\// },
  'the mark of a place': { name: /^owner\.json$/, elsewhere: true },
  'a run': { name: /^runs\/Train\/r1\/created/, other: /^runs\/Train\/2.*created/ },
  'the end of a run': { name: /^runs\/Train\/r1\/finished\.json/, other: /finished\.00000001/ },
  'the latest end of a run': { name: /finished\.00000001/, unseen: ['missing'] },
  'a pin of a run': { name: /pinned\.00000000/, other: /pinned\.00000001/ },
  'the latest pin of a run': { name: /pinned\.00000001/, unseen: ['missing'] },
  'the time of a run': { name: /^runs\/Train\/r1\/at\./ },
  'an attempt': { name: /values\/0\.attempt\.json/, other: /shared\/0\.attempt\.json/ },
  'an open attempt': {
    name: /open\/0\.attempt\.json/,
    other: /open-too\/0\.attempt/,
    tells: /^partial\/.*open\/0\./,
  },
  'a description': { name: /values\/0\.metadata\.json/, other: /shared\/0\.metadata\.json/ },
  'a failed description': { name: /retried\/0\.metadata\.json/ },
  'an end of an attempt': { name: /values\/0\.DONE/, other: /shared\/0\.DONE/ },
  'an end of an attempt that was deleted': { name: /deleted\/0\.DONE/, other: /purged\/0\.DONE/ },
  'an abandoned end': { name: /abandoned\/0\.DONE/, unseen: ['missing'] },
  'a mark of deletion': { name: /deleted\/0\.DELETED/, tells: /deleted\/0\.metadata\.json/ },
  'a mark of purging': { name: /purged\/0\.PURGED/, tells: /^data\// },
  'an erasure': { name: /ERASED/, tells: /erased\/0\./ },
  'a loose session': { name: /^loose\/.*attempt/, other: /^loose\/.*attempt/ },
  'a loose description': { name: /^loose\/.*metadata/, other: /^loose\/.*metadata/ },
  'a loose end': { name: /^loose\/.*DONE/, other: /^loose\/.*DONE/ },
  'a part of metadata': {
    name: /open\/0\.metadata\.0/,
    unseen: ['missing'],
    other: /retried\/0\.metadata\.0/,
  },
  'a trace': { name: /\.trace\./, unseen: ['missing'] },
  // The one before it counts then, whose content a collector has deleted.
  'a checkpoint': { name: /\.checkpoint\.00000001/, other: /\.checkpoint\.00000000/, tells: /^data\// },
  'a version of a report': {
    name: /\.report\.so-far\.00000000/,
    unseen: ['missing'],
    other: /so-far\.00000001/,
  },
  'a part of a log': { name: /^logs\/.*values\/0\.task\.stdout\.00000001/, unseen: BYTES },
  'the first part of a log': { name: /^logs\/.*values\/0\.task\.stdout\.00000000/, unseen: BYTES },
  'the last part of a log': {
    name: /^logs\/.*values\/0\.task\.stdout\.00000002/,
    unseen: ['missing', ...BYTES],
  },
  pins: { name: /^pins\//, unseen: ['missing'], other: /^pins\// },
  'a beat': { name: /^beats\//, unseen: ['missing'], other: /^beats\// },
  'a hint': { name: /^hints\//, unseen: ['missing'] },
  'an entry of the cache': {
    name: /^cache\/.*[0-9a-f]\.json/,
    unseen: ['missing'],
    other: /^cache\/.*[0-9a-f]\.json/,
  },
  'a lease': { name: /lease\.\d+\.json/, other: /lease\.\d+\.json/, tells: /^beats\// },
  'the end of a lease': { name: /released/, unseen: ['missing'] },
  'an eviction': { name: /evicted/, unseen: ['missing'] },
  'a version of the log': { name: /^gc\/999999999997/, other: /^gc\/999999999996/ },
  'the first version of the log': { name: /^gc\/999999999998/ },
  'the newest version of the log': { name: /^gc\/999999999995/, tells: /^gc\/lists\// },
  'a list of the log': { name: /^gc\/lists\//, other: /^gc\/lists\// },
  'values of an attempt': { name: /^values\/.*\/values\/0/, other: /^values\/.*\/shared\/0/ },
  'values of an open attempt': { name: /^values\/.*\/open\/0/, unseen: ['missing', ...BYTES] },
  'a small content': { name: /^data\/.*\.100048$/, other: /^data\/.*\.68060$|^data\/.*\.82048$/ },
  'a manifest': { name: /^manifests\/.*\.546$|^manifests\/.*\.498$/, other: /^manifests\/.*\.498$/ },
  'a locator': { name: /^manifests\/.*\.31\d$/, other: /^manifests\/.*\.31\d$/ },
  'a pack': { name: /^packs\//, other: /^packs\// },
  'a plain object': { name: /^plain\/.*page\.html$/, other: /^plain\/.*loss\.html$/ },
  'a content elsewhere': { name: /^data\//, elsewhere: true },
  'a manifest elsewhere': { name: /^manifests\//, elsewhere: true },
  'a pack elsewhere': { name: /^packs\//, elsewhere: true },
};

let objects: Objects;
beforeAll(async () => {
  objects = await makeWholeStore({ localReads: false });
}, 60_000);

/** What a check finds in the store where some objects are others. */
async function checkWith(
  kind: { elsewhere?: true; isRead: boolean },
  change: (of: Map<string, Uint8Array>) => void,
): Promise<Finding[]> {
  const changed = { home: new Map(objects.home), place: new Map(objects.place) };
  change(kind.elsewhere ? changed.place : changed.home);
  // Where contents need not be read whole for it, they are not.
  const sample = kind.isRead ? 1 : 0;
  return (await check({ ...(await storeOf(changed, { localReads: false })), sample })).findings;
}

function namesOf({ elsewhere, name, other }: Kind): [string, string | undefined] {
  const all = [...(elsewhere ? objects.place : objects.home).keys()].map((full) =>
    elsewhere ? full.split('/').slice(2).join('/') : full,
  );
  const first = all.find((one) => name.test(one)) as string;
  return [first, other && all.find((one) => one !== first && other.test(one))];
}

/** The faults of an object, each by what it does to all objects. */
function changesOf(
  { elsewhere }: Kind,
  name: string,
  other: string | undefined,
): [string, (all: Map<string, Uint8Array>) => void][] {
  const full = (all: Map<string, Uint8Array>, of: string): string =>
    elsewhere ? ([...all.keys()].find((one) => one.endsWith(`/${of}`)) as string) : of;
  const changed = (change: (bytes: Uint8Array) => Uint8Array) => (all: Map<string, Uint8Array>) => {
    all.set(full(all, name), change(all.get(full(all, name)) as Uint8Array));
  };
  const bytes = (elsewhere ? objects.place : objects.home).get(
    full(elsewhere ? objects.place : objects.home, name),
  ) as Uint8Array;
  const changes: [string, (all: Map<string, Uint8Array>) => void][] = [
    ['missing', (all) => all.delete(full(all, name))],
    ['longer', changed((whole) => Buffer.concat([whole, Buffer.from([10])]))],
  ];
  if (bytes.length > 0) {
    changes.push(['cut', changed((whole) => whole.subarray(0, whole.length - 1))]);
    changes.push(['emptied', changed(() => new Uint8Array(0))]);
    const parts = isRead(name) ? [0, 0.1, 0.4, 0.7, 0.999] : [0.5, 0.999];
    for (const part of parts) changes.push([`flipped at ${part}`, changed(flip(part))]);
  }
  if (other !== undefined) changes.push(['swapped', (all) => swap(all, full(all, name), full(all, other))]);
  return changes;
}

/** True of what is verified by its content alone. */
function isRead(name: string): boolean {
  return /^(?:data|manifests|packs|plain|values)\//.test(name);
}

function flip(part: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const changed = Uint8Array.from(bytes);
    const at = Math.floor(part * bytes.length);
    changed[at] = (changed[at] as number) ^ 4;
    return changed;
  };
}

function swap(all: Map<string, Uint8Array>, name: string, other: string): void {
  const [first, second] = [all.get(name), all.get(other)] as [Uint8Array, Uint8Array];
  all.set(name, second).set(other, first);
}

describe('a check', () => {
  it.each([true, false])(
    'finds a store of every kind sound, where local reads are %s',
    async (localReads) => {
      const made = localReads ? await makeWholeStore({ localReads }) : objects;
      const { findings, summary } = await check(await storeOf(made, { localReads }));
      expect(findings.map(({ problem }) => problem)).toEqual(['marked']);
      expect(summary).toMatchObject({ isSound: true, isComplete: true });
    },
  );

  it.each(Object.entries(KINDS))('finds %s that is missing, cut, changed or another one', async (_, kind) => {
    const [name, other] = namesOf(kind);
    expect(name).toBeDefined();
    if (kind.other) expect(other).toBeDefined();
    const seen: Record<string, boolean> = {};
    const expected: Record<string, boolean> = {};
    for (const [fault, change] of changesOf(kind, name, other)) {
      const findings = await checkWith({ ...kind, isRead: isRead(name) }, change);
      const told = findings.filter(({ problem }) => problem !== 'marked');
      seen[fault] = told.some(({ object }) => object === name || kind.tells?.test(object));
      expected[fault] = !kind.unseen?.some((unseen) => fault.startsWith(unseen));
      if (!expected[fault]) expect(told).toEqual([]);
    }
    expect(seen).toEqual(expected);
  });
});
