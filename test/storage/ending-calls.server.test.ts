import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { errorOf, noise } from '../flow/fixtures.ts';
import { type FaultyProxy, startFaultyProxy } from '../servers/faulty-proxy.ts';
import { describeOnServices } from './far-services.ts';

const MIB = 1024 * 1024;
const text = (value: string) => new TextEncoder().encode(value);

/** Resolves once a request that matches has come. */
function arrivalOf(proxy: FaultyProxy, matches: RegExp): Promise<void> {
  return new Promise((resolve) => {
    proxy.plan = (method, path) => {
      if (!matches.test(`${method} ${path}`)) return undefined;
      resolve();
      return { kind: 'silence' };
    };
  });
}

describeOnServices('calls that end early', (findWay) => {
  const writes: [string, (storage: DataStoreStorage, signal: AbortSignal) => Promise<unknown>][] = [
    ['a create', (storage, signal) => storage.create('a', text('x'), { signal })],
    ['a create from a stream', (storage, signal) => storage.create('a', streamOf(text('x')), { signal })],
    ['a create in parts', (storage, signal) => storage.create('a', noise(21 * MIB), { signal })],
  ];

  it.each(writes)('%s that nothing answers ends with its signal, even the first', async (_, write) => {
    const { origin, openThrough } = await findWay();
    const proxy = await startFaultyProxy(origin);
    const storage = await openThrough(proxy.url);
    const arrived = arrivalOf(proxy, /^/);
    const abort = new AbortController();
    const writing = write(storage, abort.signal);
    await arrived;
    abort.abort();
    await errorOf(writing, 'ABORTED');
    await storage.close();
    await proxy.stop();
  });

  it.each(writes)('%s that nothing answers ends with its storage, even the first', async (_, write) => {
    const { origin, openThrough } = await findWay();
    const proxy = await startFaultyProxy(origin);
    const storage = await openThrough(proxy.url);
    const arrived = arrivalOf(proxy, /^/);
    const writing = write(storage, new AbortController().signal);
    const ended = errorOf(writing, 'STORAGE_CLOSED');
    await arrived;
    await storage.close();
    await ended;
    await proxy.stop();
  });

  it('a create that looks whether it was the writer ends with its storage', async () => {
    const { origin, openThrough } = await findWay();
    const proxy = await startFaultyProxy(origin);
    const storage = new RetryStorage(await openThrough(proxy.url), { sleep: async () => {} });
    await storage.create('first', text('x'));
    proxy.seen.length = 0;
    let isSilent = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      isSilent = resolve;
    });
    proxy.plan = (method, _, count) => {
      if (count === 0) return { kind: 'answer lost' };
      if (method !== 'GET' && method !== 'HEAD') return undefined;
      isSilent();
      return { kind: 'silence' };
    };
    const ended = errorOf(storage.create('a', streamOf(text('x'))), 'STORAGE_CLOSED');
    await arrived;
    await storage.close();
    await ended;
    await proxy.stop();
  });

  it('an upload that is aborted waits for its clean-up no longer than for a request', async () => {
    const { origin, openThrough } = await findWay();
    const proxy = await startFaultyProxy(origin);
    const storage = await openThrough(proxy.url, { requestTimeoutMs: 3000 });
    await storage.create('first', streamOf(noise(6 * MIB)));
    const abort = new AbortController();
    async function* breaking() {
      yield* streamOf(noise(12 * MIB));
      proxy.seen.length = 0;
      proxy.plan = () => ({ kind: 'silence' });
      abort.abort();
      yield text('never sent');
    }
    await expect(storage.create('a', breaking(), { signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(proxy.seen.filter((line) => line.startsWith('DELETE')).length).toBeLessThanOrEqual(1);
    await storage.close();
    await proxy.stop();
  });

  it('what goes on when its storage is closed sends no more, and says so', async () => {
    const { origin, openThrough } = await findWay();
    const proxy = await startFaultyProxy(origin);
    const bare = await openThrough(proxy.url);
    const storage = new RetryStorage(bare, { sleep: async () => {} });
    await storage.create('large', noise(21 * MIB));
    const names = Array.from({ length: 2500 }, (_, i) => `d/${i}`);
    proxy.seen.length = 0;
    const arrived = arrivalOf(proxy, /^/);
    const calls = [storage.get('large'), storage.delete(names), storage.head('large')];
    const ended = calls.map((call) => errorOf(call, 'STORAGE_CLOSED'));
    await arrived;
    await storage.close();
    await Promise.all(ended);
    // What was under way at the time, and not all that was to come.
    expect(proxy.seen.length).toBeLessThan(100);
    expect(proxy.seen.filter((line) => line.startsWith('POST ')).length).toBeLessThanOrEqual(1);
    await proxy.stop();
  });

  it('leave no connection open when their storage is closed, not even those that were cut off', async () => {
    const { origin, openThrough } = await findWay();
    const { port, hostname } = new URL(origin);
    const closed: Promise<unknown>[] = [];
    const server = createServer((socket) => {
      const onward = connect(Number(port), hostname);
      socket.on('error', () => {}).pipe(onward);
      onward.on('error', () => {}).pipe(socket);
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      socket.once('close', () => onward.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const storage = await openThrough(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await storage.create('large', noise(21 * MIB));
    await errorOf(storage.get('large', { maxBytes: 10 }), 'OBJECT_TOO_LARGE');
    const abort = new AbortController();
    const reads = [1, 2, 3].map(() => storage.get('large', { signal: abort.signal }));
    const ended = Promise.allSettled(reads);
    await storage.head('large');
    abort.abort();
    await ended;
    await Promise.all([1, 2, 3].map(() => storage.get('large', { range: { offset: 5, length: 10 } })));
    await storage.close();
    expect(closed.length).toBeGreaterThan(0);
    await Promise.all(closed);
    await new Promise((resolve) => server.close(resolve));
  });
});

async function* streamOf(bytes: Uint8Array, chunkBytes = 100_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
