import { Writable } from 'node:stream';
import type { Answer, Failure } from '../../page/asked.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';

/** `stowage ui` */
export const ui: CommandDeclaration = {
  name: 'ui',
  text: 'open a page of the store: runs, artifacts, lineage, the cache',
  options: [{ flags: '--port <n>', text: 'the port; default: one that is free' }],
  async run(invocation: Invocation, _none: [], { port = '0' }: { port?: string }) {
    if (!/^\d{1,5}$/.test(port)) throw usageError(`--port is a number up to 65535, not ${port}.`);
    const { servePage } = await import('../../page/server.ts');
    const store = invocation.options.store === undefined ? [] : ['--store', invocation.options.store];
    const page = await servePage(
      async (argv, signal): Promise<Answer<string>> => {
        const [out, err] = [new Gathered(), new Gathered()];
        await invocation.call(['--json', ...store, ...argv], { stdout: out, stderr: err }, signal);
        const error = err.text === '' ? undefined : (JSON.parse(err.text) as { error: Failure }).error;
        return { ...(out.text === '' ? {} : { result: out.text }), ...(error ? { error } : {}) };
      },
      { port: Number(port) },
    );
    await invocation.output.line(page.url);
    await new Promise<void>((resolve) => invocation.signal.addEventListener('abort', () => resolve()));
    await page.close();
  },
};

/** What a command wrote. */
class Gathered extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}
