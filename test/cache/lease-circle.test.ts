import { describe, expect, it } from 'vitest';
import type { Work } from '../../src/async/work.ts';
import { CircleSearch, LeaseWait, readBeat } from '../../src/cache/lease-circle.ts';
import { leaseName, releasedName } from '../../src/format/cache-names.ts';
import { type BeatWait, beatName, encodeBeat, MAX_BEAT_BYTES } from '../../src/format/open-session.ts';
import { newSessionId, type SessionId } from '../../src/format/session-id.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { keyOf } from './fixtures.ts';

/** A wait for the first of some owners, each of which waits for the next one, and the last one for the wait. */
class Ring {
  readonly storage: CountStorage = new CountStorage(new MemoryStorage());
  readonly owners: SessionId[];
  readonly wait: LeaseWait;
  readonly links: BeatWait[];
  readonly search: CircleSearch;
  #beats = 0;

  constructor(count: number) {
    this.owners = Array.from({ length: count }, () => newSessionId());
    const outer: Work = { title: 'task-0', outer: undefined, waits: new Set(), isOver: false };
    this.wait = new LeaseWait(keyOf('0'), outer);
    this.links = this.owners.map((_, index) => {
      const next = (index + 1) % count;
      const wait = next === 0 ? this.wait.id : newSessionId();
      const session = this.owners[next] as SessionId;
      return { wait, since: index, task: `task-${next}`, key: keyOf(`${next}`), token: 1, session };
    });
    this.search = new CircleSearch(this.storage, this.wait);
  }

  async holdLeases(): Promise<void> {
    for (const { key } of this.links) await this.storage.create(leaseName(key, 1), new Uint8Array(1));
  }

  async beat(index: number, waits: readonly BeatWait[] = [this.links[index] as BeatWait]): Promise<void> {
    const session = this.owners[index] as SessionId;
    this.#beats += 1;
    const at = new Date(this.#beats).toISOString();
    await this.storage.overwrite(beatName(session), encodeBeat(session, at, waits));
  }

  async beatAll(): Promise<void> {
    for (const index of this.owners.keys()) await this.beat(index);
  }

  async look(): Promise<readonly string[] | undefined> {
    const owner = await readBeat(this.storage, this.owners[0] as SessionId, {});
    return owner && (await this.search.look(owner, {}))?.tasks;
  }
}

async function ringOf(count: number): Promise<Ring> {
  const ring = new Ring(count);
  await ring.holdLeases();
  await ring.beatAll();
  return ring;
}

describe('a circle of leases', () => {
  it.each([1, 2, 3, 16, 100])('of %i is found, once all beats were written anew', async (count) => {
    const ring = await ringOf(count);
    for (let looks = 0; looks < count / 16; looks++) expect(await ring.look()).toBeUndefined();
    await ring.beatAll();
    const names = ring.owners.map((_, index) => `task-${index}`);
    expect(await ring.look()).toEqual(names);
  });

  it('is none while a beat is as old as when it was found', async () => {
    const ring = await ringOf(3);
    for (let i = 0; i < 5; i++) {
      expect(await ring.look()).toBeUndefined();
      await ring.beat(0);
      await ring.beat(1);
    }
    await ring.beat(2);
    expect(await ring.look()).toHaveLength(3);
  });

  it.each([
    ['waits for it no more', []],
    ['waited, went on, and waits again', [{ since: 99 }]],
    ['waits by another call', [{ wait: newSessionId() }]],
    ['waits for another owner', [{ session: newSessionId() }]],
  ])('is none where one of them %s', async (_, changes: readonly Partial<BeatWait>[]) => {
    const ring = await ringOf(3);
    expect(await ring.look()).toBeUndefined();
    await ring.beatAll();
    await ring.beat(
      1,
      changes.map((change) => ({ ...(ring.links[1] as BeatWait), ...change })),
    );
    expect(await ring.look()).toBeUndefined();
  });

  it.each([
    ['released', releasedName(keyOf('1'), 1)],
    ['taken over', leaseName(keyOf('1'), 2)],
  ])('is none where a lease was %s, which who waits for it has not seen yet', async (_, name) => {
    const ring = await ringOf(3);
    expect(await ring.look()).toBeUndefined();
    await ring.beatAll();
    await ring.storage.create(name, new Uint8Array(1));
    expect(await ring.look()).toBeUndefined();
  });

  it('costs no request where the owner waits for nothing, and one for each other one that waits', async () => {
    const ring = await ringOf(3);
    await ring.beat(0, []);
    ring.storage.reset();
    await ring.look();
    expect(ring.storage.snapshot()).toMatchObject({ requests: 1, get: { calls: 1 } });
    await ring.beat(0);
    await ring.beat(2, []);
    ring.storage.reset();
    await ring.look();
    expect(ring.storage.snapshot()).toMatchObject({ requests: 3, get: { calls: 3 } });
  });

  it('is found beside beats that cannot be read, and a circle of others', async () => {
    const ring = await ringOf(2);
    const link = ring.links[0] as BeatWait;
    const other = (session: SessionId): BeatWait => ({ ...link, wait: newSessionId(), session });
    const [garbage, large, one, two] = Array.from({ length: 4 }, () => newSessionId()) as SessionId[];
    await ring.storage.overwrite(beatName(garbage as SessionId), new Uint8Array(9));
    await ring.storage.overwrite(beatName(large as SessionId), new Uint8Array(MAX_BEAT_BYTES + 1));
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as [SessionId, SessionId][])
      await ring.storage.overwrite(beatName(from), encodeBeat(from, '2026-01-01T00:00:00Z', [other(to)]));
    const waits = [...[garbage, large, one].map((session) => other(session as SessionId)), link];
    await ring.beat(0, waits);
    expect(await ring.look()).toBeUndefined();
    await ring.beat(0, waits);
    await ring.beat(1);
    expect(await ring.look()).toEqual(['task-0', 'task-1']);
  });
});
