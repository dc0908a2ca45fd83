import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * Starts a side: a process that lives for one measurement, so that its own start is never counted. It measures itself, by its
 * own monotonic clock, and answers every line with one line of JSON.
 */
export async function startSide(command, args, { env = {}, firstLine } = {}) {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(new Error(`${command} ${args.join(' ')} ended early: ${signal ?? `exit code ${code}`}`));
    });
  });
  ended.catch(() => {});
  child.stdin.on('error', () => {}); // its exit says more
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextAnswer = async () => {
    const { done, value } = await Promise.race([lines.next(), ended]);
    return done ? ended : JSON.parse(value);
  };

  if (firstLine !== undefined) child.stdin.write(`${JSON.stringify(firstLine)}\n`);
  await nextAnswer(); // it is ready
  const ask = (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return nextAnswer();
  };
  return {
    ask,
    measure: async (root) => (await ask({ root })).ms,
    makeStore: (store) => ask({ store }),
    stop: () => child.stdin.end(),
  };
}
