import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import { KeyLocks } from '../../src/async/key-locks.ts';
import { decodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import { Heartbeat, type HeartbeatFailure } from '../../src/sessions/heartbeat.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { bodyOf, namesOf } from '../content/storages.ts';

const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 1));
};

describe('a heartbeat', () => {
  test('is overwritten while the session is open, and gone after it', async () => {
    const storage = new MemoryStorage();
    const session = newSessionId();
    const heartbeat = new Heartbeat(storage, session, 1);
    await until(async () => (await namesOf(storage, 'beats/')).length === 1);
    const first = await storage.head(`beats/${session}`);
    await until(async () => (await storage.head(`beats/${session}`))?.version !== first?.version);
    expect(decodeRecord(await bodyOf(storage, `beats/${session}`), 'b').session).toBe(session);
    await heartbeat.stop();
    expect(await namesOf(storage)).toEqual([]);
  });

  test('that cannot be written is told on a channel, and the next one is tried', async () => {
    const memory = new MemoryStorage();
    let failures = 0;
    const storage = new FaultStorage(memory, (operation) =>
      operation === 'overwrite' && failures < 2 ? { kind: 'before' } : undefined,
    );
    const session = newSessionId();
    const told: HeartbeatFailure[] = [];
    const listener = (message: unknown): void => {
      failures += 1;
      told.push(message as HeartbeatFailure);
    };
    subscribe('stowage:heartbeat', listener);
    const heartbeat = new Heartbeat(storage, session, 1);
    await until(async () => (await namesOf(memory, 'beats/')).length === 1);
    await heartbeat.stop();
    unsubscribe('stowage:heartbeat', listener);
    expect(told.map((failure) => failure.session)).toEqual([session, session]);
  });

  test('beats where a program has put timers of its own in place of the global ones', async () => {
    const { setInterval: real } = globalThis;
    // As in browsers, and in environments like theirs: a number.
    globalThis.setInterval = (() => 7) as unknown as typeof setInterval;
    const storage = new MemoryStorage();
    let heartbeat: Heartbeat;
    try {
      heartbeat = new Heartbeat(storage, newSessionId(), 1);
    } finally {
      globalThis.setInterval = real;
    }
    await until(async () => (await namesOf(storage, 'beats/')).length === 1);
    await heartbeat.stop();
  });

  test('that never beat asks nothing of the storage', async () => {
    const storage = new FaultStorage(new MemoryStorage(), () => ({ kind: 'before' }));
    await new Heartbeat(storage, newSessionId()).stop();
  });
});

describe('turns at a key', () => {
  test('are taken one after the other, also after failures; other keys do not wait', async () => {
    const locks = new KeyLocks();
    const log: string[] = [];
    const work =
      (name: string, fails = false) =>
      async (): Promise<string> => {
        log.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        log.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      };
    const results = await Promise.allSettled([
      locks.run('k', work('a')),
      locks.run('k', work('b', true)),
      locks.run('k', work('c')),
      locks.run('other', work('d')),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    const ofKey = log.filter((line) => !line.startsWith('d'));
    expect(ofKey).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect(log.indexOf('d begins')).toBeLessThan(log.indexOf('a ends'));
  });
});
