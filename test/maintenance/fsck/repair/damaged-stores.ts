import fc from 'fast-check';
import { ContentAddressedStore } from '../../../../src/content-addressed-store.ts';
import { digestHex } from '../../../../src/digest/blake3.ts';
import { isStowageError } from '../../../../src/errors.ts';
import { listSessions } from '../../../../src/maintenance/collection/session-listing.ts';
import { type CheckOptions, checkStore } from '../../../../src/maintenance/fsck/check-store.ts';
import type { Finding } from '../../../../src/maintenance/fsck/finding.ts';
import { listKept } from '../../../../src/maintenance/fsck/repair/kept-rows.ts';
import type { RepairStep } from '../../../../src/maintenance/fsck/repair/repair-steps.ts';
import { type RepairOptions, repairStore } from '../../../../src/maintenance/fsck/repair/repair-store.ts';
import type { DataStoreStorage } from '../../../../src/storage/contract.ts';
import { bodyOf, namesOf, withFlippedBit } from '../../../content/storages.ts';
import { readAll } from '../../copied-store.ts';

/** A way in which an object is damaged: `swapped` with the next one of its folder. */
export const DAMAGES = ['missing', 'truncated', 'flipped', 'swapped'] as const;
export type DamageKind = (typeof DAMAGES)[number];

/** What is damaged: which objects, by numbers of whatever range, and how. */
export const arbitraryDamages: fc.Arbitrary<{ pick: number; kind: DamageKind; at: number }[]> = fc.array(
  fc.record({ pick: fc.nat(), kind: fc.constantFrom(...DAMAGES), at: fc.nat() }),
  { minLength: 1, maxLength: 12 },
);

/** Nobody can tell that these are damaged, or what they said: a log has no digest, and a store without its id is none. */
const LEFT_OUT = /^(?:stowage\.json|logs\/|gc\/|elsewhere\/)/;

/** True where nothing would tell any more that there was a session. */
async function isLastOfSession(storage: DataStoreStorage, name: string): Promise<boolean> {
  if (!/^(?:flows|loose)\//.test(name)) return false;
  const slash = name.lastIndexOf('/') + 1;
  return (await namesOf(storage, name.slice(0, name.indexOf('.', slash) + 1))).length === 1;
}

/** Damages objects, and resolves to their names. */
export async function damage(
  storage: DataStoreStorage,
  damages: readonly { pick: number; kind: DamageKind; at: number }[],
  isLeftOut: (name: string) => boolean = () => false,
): Promise<Map<string, DamageKind>> {
  const names = (await namesOf(storage)).filter((name) => !LEFT_OUT.test(name) && !isLeftOut(name));
  const done = new Map<string, DamageKind>();
  for (const { pick, kind, at } of damages) {
    const name = names[pick % names.length];
    if (name === undefined || done.has(name)) continue;
    const body = await bodyOf(storage, name);
    if (body.length === 0 || (await isLastOfSession(storage, name))) continue;
    await storage.delete([name]);
    done.set(name, kind);
    if (kind === 'truncated') await storage.create(name, body.slice(0, at % body.length));
    if (kind === 'flipped') await storage.create(name, withFlippedBit(body, at % (body.length * 8)));
    if (kind === 'swapped') {
      const others = names.filter((other) => other !== name && other.split('/')[0] === name.split('/')[0]);
      const other = others[at % others.length];
      const theirs = other === undefined ? undefined : (await storage.get(other))?.body;
      if (theirs) await storage.create(name, theirs);
    }
  }
  return done;
}

export async function stepsOf(options: RepairOptions): Promise<RepairStep[]> {
  const steps: RepairStep[] = [];
  for await (const step of repairStore(options)) steps.push(step);
  return steps;
}

/** All findings but those of no harm. */
export async function faultsOf(
  storage: DataStoreStorage,
  openPlace?: CheckOptions['openPlace'],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of checkStore({ store: storage, openPlace })) findings.push(finding);
  return findings.filter(({ severity }) => severity !== 'notice');
}

/** The artifacts and reports of closed attempts that can be read, each by the session's base and its name, with the digest of what was read. */
export async function readableIn(storage: DataStoreStorage): Promise<Map<string, string>> {
  const { reader } = new ContentAddressedStore(storage);
  const found = new Map<string, string>();
  for await (const session of listSessions(storage, {})) {
    const kept = await kindly(() => listKept({ storage, reader }, {}, [`${session.base}.`]).next());
    for (const { name, key, bytes, content, own } of kept?.value?.artifacts ?? []) {
      const value = await kindly(async () => {
        if (!own) return content ? reader.load(content) : Buffer.from(key);
        const loaded = (await reader.loadOwn(session.values ?? '', [{ key, bytes, own }])).get(key);
        if (loaded instanceof Uint8Array) return loaded;
        throw loaded;
      });
      if (value) found.set(`${session.base} ${name}`, digestHex(value));
    }
    for (const { name, content } of kept?.value?.reports ?? []) {
      const value = await kindly(() => reader.load(content));
      if (value) found.set(`${session.base} report ${name}`, digestHex(value));
    }
  }
  return found;
}

async function kindly<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isStowageError(error)) throw error;
    return undefined;
  }
}

/** Everything that a store says, but for how it says it: whether a description was written anew, and where a value lies. */
export async function saidIn(storage: DataStoreStorage): Promise<unknown> {
  const left = new Set(['erased', 'own', 'isContent']);
  return JSON.parse(
    JSON.stringify(await readAll(storage), (name, value) => (left.has(name) ? undefined : value)),
  );
}
