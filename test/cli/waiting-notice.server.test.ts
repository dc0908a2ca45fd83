import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultyProxy, type ProxyFault, startFaultyProxy } from '../servers/faulty-proxy.ts';
import { startStowage } from './running.ts';

/** Stands for a server that never gets well: nothing is passed on. */
let server: FaultyProxy;
const before = { ...process.env };
beforeAll(async () => {
  server = await startFaultyProxy('http://127.0.0.1:9');
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'test';
});
afterAll(async () => {
  process.env = before;
  await server.stop();
});

/** What a command that waits says first; then it is interrupted. */
async function firstWords(fault: ProxyFault | ((count: number) => ProxyFault)): Promise<string> {
  server.seen.length = 0;
  server.plan = (_method, _path, count) => (typeof fault === 'function' ? fault(count) : fault);
  const running = startStowage(`s3://bkt/a?endpoint=${encodeURIComponent(server.url)}`, ['runs']);
  await running.stderr.has('\n');
  running.interrupt();
  expect(await running.ended).toBe(130);
  const [first = ''] = running.stderr.text.split('\n');
  return first.replaceAll(new URL(server.url).host, '<host>');
}

describe('a command whose storage', () => {
  it('never answers says that it waits', async () => {
    expect(await firstWords({ kind: 'silence' })).toMatch(
      /^stowage: <host> has not answered for \d+ seconds, still waiting$/,
    );
  });

  it('answers with passing errors only says that it tries again', async () => {
    expect(await firstWords({ kind: 'answer', status: 503 })).toBe(
      'stowage: <host> answers with HTTP 503, trying again',
    );
  });

  it('hangs up says that it tries again', async () => {
    const said = await firstWords((count) =>
      count === 0 ? { kind: 'answer', status: 503 } : { kind: 'lost' },
    );
    expect(said).toBe('stowage: <host> does not answer (ECONNRESET), trying again');
  });

  it('never answers says nothing beside JSON', async () => {
    server.seen.length = 0;
    server.plan = () => ({ kind: 'silence' });
    const store = `s3://bkt/a?endpoint=${encodeURIComponent(server.url)}`;
    const quiet = startStowage(store, ['runs', '--json']);
    const loud = startStowage(store, ['runs']);
    await loud.stderr.has('\n');
    expect(quiet.stderr.text).toBe('');
    for (const running of [quiet, loud]) running.interrupt();
    await Promise.all([quiet.ended, loud.ended]);
  });
});
