import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { HINT_EVERY_MS, type HintFailure, StepHint } from '../../src/content/writing/step-hint.ts';
import { StowageError } from '../../src/errors.ts';
import { copyName } from '../../src/format/content-names.ts';
import {
  decodeHint,
  encodeHint,
  fingerprintAt,
  type HintedManifest,
  sampleOf,
} from '../../src/format/hint.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { contentOf } from './contents.ts';
import { bodyOf, codeOf, ObservedStorage } from './storages.ts';

const SUBJECT = { flow: 'Test', step: 'fit' };
const NAME = 'hints/Test/fit.json';

/** A manifest of one chunk, and the chunk's fingerprint. */
function manifestOf(seed: number): HintedManifest & { fingerprint: number } {
  const digest = contentOf(32, seed);
  const copy = copyName('manifests', Buffer.from(digest).toString('hex'), newSessionId(), 0, 500);
  return { copy, place: '', samples: [sampleOf([digest])], fingerprint: fingerprintAt(digest, 0) };
}

async function named(storage: DataStoreStorage): Promise<string[]> {
  return decodeHint(await bodyOf(storage, NAME), NAME, SUBJECT).map(({ copy }) => copy);
}

/** The messages of the channel while the test runs. */
function failures(): HintFailure[] {
  const told: HintFailure[] = [];
  const note = (message: unknown) => told.push(message as HintFailure);
  subscribe('stowage:hint-failed', note);
  afterThisTest(() => unsubscribe('stowage:hint-failed', note));
  return told;
}

describe('the hint of a step', () => {
  it('tells another process what was written, newest first', async () => {
    const storage = new MemoryStorage();
    const [a, b, c] = [manifestOf(1), manifestOf(2), manifestOf(3)];
    await new StepHint(storage, SUBJECT).tell([b, a]);
    await new StepHint(storage, SUBJECT).tell([c]);
    expect(await named(storage)).toEqual([c.copy, b.copy, a.copy]);
    const reader = new StepHint(storage, SUBJECT);
    expect(reader.candidates(a.fingerprint)).toEqual([]);
    await reader.refresh({});
    expect(reader.candidates(a.fingerprint)).toEqual([{ copy: a.copy, place: '', group: 0 }]);
    expect(reader.candidates(a.fingerprint + 1)).toEqual([]);
  });

  it('is read once in ten seconds, however many ask', async () => {
    const inner = new MemoryStorage();
    const storage = new ObservedStorage(inner);
    let now = 0;
    const hint = new StepHint(storage, SUBJECT, () => now);
    await Promise.all([hint.refresh({}), hint.refresh({}), hint.refresh({})]);
    now = HINT_EVERY_MS - 1;
    await hint.refresh({});
    expect(storage.calls).toEqual([`get ${NAME}`]);
    now = HINT_EVERY_MS;
    const [other] = [manifestOf(1)];
    await new StepHint(inner, SUBJECT).tell([other]);
    await hint.refresh({});
    expect(hint.candidates(other.fingerprint)).toHaveLength(1);
  });

  it('is written at once, and then once in ten seconds, and at the end', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    let now = 0;
    const hint = new StepHint(storage, SUBJECT, () => now);
    const [a, b, c] = [manifestOf(1), manifestOf(2), manifestOf(3)];
    await hint.tell([a]);
    await hint.tell([b]);
    now = HINT_EVERY_MS - 1;
    await hint.tell([c]);
    expect(await named(storage)).toEqual([a.copy]);
    await hint.flush();
    expect(await named(storage)).toEqual([c.copy, b.copy, a.copy]);
    const calls = storage.calls.length;
    await hint.flush();
    await hint.tell([]);
    expect(storage.calls.length).toBe(calls);
  });

  it('loses nothing of writers at once that the storage tells from each other', async () => {
    const storage = new MemoryStorage();
    const manifests = Array.from({ length: 4 }, (_, i) => manifestOf(i + 1));
    await Promise.all(manifests.map((manifest) => new StepHint(storage, SUBJECT).tell([manifest])));
    expect((await named(storage)).sort()).toEqual(manifests.map(({ copy }) => copy).sort());
  });

  it('is the last writer’s where others replace it again and again', async () => {
    const inner = new MemoryStorage();
    const storage = new ObservedStorage(inner);
    const told = failures();
    storage.before = async (operation) => {
      if (operation === 'get') return;
      await inner.overwrite(NAME, encodeHint(SUBJECT, [manifestOf(storage.calls.length)]));
    };
    const mine = manifestOf(77);
    await new StepHint(storage, SUBJECT).tell([mine]);
    expect((await named(inner))[0]).toBe(mine.copy);
    expect(storage.calls.filter((call) => !call.startsWith('get'))).toHaveLength(4);
    expect(told).toEqual([]);
  });

  it('leaves out what was found gone', async () => {
    const storage = new MemoryStorage();
    const [a, b] = [manifestOf(1), manifestOf(2)];
    await new StepHint(storage, SUBJECT).tell([a]);
    const hint = new StepHint(storage, SUBJECT);
    await hint.refresh({});
    hint.forget(a.copy);
    expect(hint.isForgotten(a.copy)).toBe(true);
    await hint.tell([b]);
    expect(await named(storage)).toEqual([b.copy]);
  });

  it.each([
    ['damaged', Buffer.from('{"no":"record"}')],
    ['that of another step', encodeHint({ ...SUBJECT, step: 'other' }, [manifestOf(5)])],
    ['too large', new Uint8Array(300_000)],
  ])('that is %s is told of, and replaced', async (_title, body) => {
    const storage = new MemoryStorage();
    await storage.overwrite(NAME, body);
    const told = failures();
    const hint = new StepHint(storage, SUBJECT);
    await hint.refresh({});
    expect(told).toMatchObject([{ operation: 'read', name: NAME, error: { code: 'RECORD_DAMAGED' } }]);
    const mine = manifestOf(1);
    await hint.tell([mine]);
    expect(await named(storage)).toEqual([mine.copy]);
  });

  it('of a newer Stowage is left alone', async () => {
    const storage = new MemoryStorage();
    const newer = encodeRecord({ format: 2, kind: 'hint', ...SUBJECT, rows: [] });
    await storage.overwrite(NAME, newer);
    await new StepHint(storage, SUBJECT).tell([manifestOf(1)]);
    expect(await bodyOf(storage, NAME)).toEqual(newer);
  });

  it.each(['get', 'create', 'overwrite'])('fails nobody where %s fails, which is told', async (failing) => {
    const inner = new MemoryStorage();
    if (failing === 'overwrite') await new StepHint(inner, SUBJECT).tell([manifestOf(1)]);
    const error = new StowageError('STORAGE_FAILED', 'no');
    let isDown = true;
    const storage = new FaultStorage(inner, (operation) =>
      isDown && operation === failing ? { kind: 'before', error } : undefined,
    );
    const told = failures();
    const hint = new StepHint(storage, SUBJECT);
    await hint.refresh({});
    const mine = manifestOf(2);
    await hint.tell([mine]);
    expect(told.length).toBeGreaterThan(0);
    for (const failure of told) expect(failure).toMatchObject({ name: NAME, error });
    // What was not written goes with what is written next.
    isDown = false;
    await hint.flush();
    expect((await named(storage))[0]).toBe(mine.copy);
  });

  it('ends with who reads it, and nobody else', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const hint = new StepHint(storage, SUBJECT);
    const abort = new AbortController();
    storage.before = () => abort.abort();
    const [one, other] = [codeOf(hint.refresh({ signal: abort.signal })), codeOf(hint.refresh({}))];
    expect(await one).toBe('ABORTED');
    expect(await other).toBeUndefined();
  });
});
