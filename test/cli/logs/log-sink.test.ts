import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LogLines, type LogSubject, LogText } from '../../../src/cli/logs/log-sink.ts';
import { Output } from '../../../src/cli/ui/output.ts';

const { signal } = new AbortController();

// What the one who runs the tests wants of colours is not meant here.
beforeAll(() => {
  vi.stubEnv('NO_COLOR', undefined).stubEnv('TERM', 'xterm');
});
afterAll(() => {
  vi.unstubAllEnvs();
});

function logOf(task: string): LogSubject {
  return { task: { flow: 'F', run: 'r', step: 's', task }, attempt: 0, source: 'task', stream: 'stdout' };
}

/** An output, and what was written to it. */
function newOutput(isTTY = false): { output: Output; written: () => string } {
  let text = '';
  const stream = Object.assign(
    new Writable({
      write(piece: Buffer, _encoding, done) {
        text += piece.toString();
        done();
      },
    }),
    { isTTY },
  );
  return { output: new Output(stream, signal, { color: false }), written: () => text };
}

const [a, b] = [logOf('a'), logOf('b')];
const HEADER_A = '==> F/r/s/a/0 task stdout <==\n';
const HEADER_B = '==> F/r/s/b/0 task stdout <==\n';

describe('logs as text', () => {
  it('have a header where the log changes, which begins a line', async () => {
    const { output, written } = newOutput();
    const sink = new LogText(output, { color: false, headed: true });
    for (const [log, text] of [
      [a, 'one\ntw'],
      [a, 'o'],
      [b, 'x\n'],
      [a, ' more'],
    ] as const)
      await sink.write(log, Buffer.from(text));
    await sink.end(b);
    await sink.end(a);
    expect(written()).toBe(`${HEADER_A}one\ntwo\n\n${HEADER_B}x\n\n${HEADER_A} more\n`);
  });

  it('of one log are exactly what was logged', async () => {
    const { output, written } = newOutput();
    const sink = new LogText(output, { color: false, headed: false });
    await sink.write(a, Buffer.from('one\ntwo'));
    await sink.end(a);
    expect(written()).toBe('one\ntwo');
  });

  it('get headers once there is a second log', async () => {
    const { output, written } = newOutput();
    const sink = new LogText(output, { color: false, headed: false });
    await sink.write(a, Buffer.from('one'));
    await sink.write(b, Buffer.from('x'));
    await sink.write(a, Buffer.from('two'));
    expect(written()).toBe(`one\n\n${HEADER_B}x\n\n${HEADER_A}two`);
  });

  it('do not colour each other in a terminal, and keep characters that come in two pieces', async () => {
    const { output, written } = newOutput(true);
    const sink = new LogText(output, { color: true, headed: true });
    const [head, tail] = [Buffer.from('\x1b[31mré').subarray(0, -1), Buffer.from('é').subarray(1)];
    await sink.write(a, head);
    await sink.write(b, Buffer.from('x\x1b]0;evil\x07\n'));
    await sink.write(a, tail);
    await sink.end(a);
    expect(written()).toBe(`${HEADER_A}\x1b[31mr\x1b[0m\n\n${HEADER_B}x\\x1b]0;evil\\x07\n\n${HEADER_A}é\n`);
  });

  it('show half a character that never becomes a whole one, under its own header', async () => {
    const { output, written } = newOutput(true);
    const sink = new LogText(output, { color: true, headed: true });
    await sink.write(a, Buffer.from('é').subarray(0, 1));
    await sink.write(b, Buffer.from('x\n'));
    await sink.end(a);
    expect(written()).toBe(`${HEADER_A}\n${HEADER_B}x\n\n${HEADER_A}\ufffd\n`);
  });
});

describe('logs as JSON', () => {
  it('are an object a line, whole characters in each', async () => {
    const { output, written } = newOutput();
    const sink = new LogLines(output);
    const [head, tail] = [Buffer.from('aé').subarray(0, -1), Buffer.from('é').subarray(1)];
    await sink.write(a, head);
    await sink.write(b, Buffer.from('x\n'));
    await sink.write(a, tail);
    await sink.write(a, Buffer.from('é').subarray(0, 1));
    await sink.end(a);
    await sink.end(b);
    const lines = written()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ ...a.task, attempt: 0, source: 'task', stream: 'stdout', text: 'a' });
    expect(lines.map(({ task, text }) => [task, text])).toEqual([
      ['a', 'a'],
      ['b', 'x\n'],
      ['a', 'é'],
      ['a', '\ufffd'],
    ]);
  });
});
