import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { type CacheKeyParts, cacheKey } from '../../src/cache/cache-key.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { vectorTransformer } from '../values/arbitrary-value.ts';

const serializers = new SerializerRegistry();
serializers.registerClass(vectorTransformer);

function key(parts: Partial<CacheKeyParts>): string {
  return cacheKey({ taskName: 'judge', version: '1', input: 0, serializers, ...parts }).key;
}

it('are the same in another process, and in another directory', () => {
  const script = `
      import { cacheKey } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      const input = { when: new Date(5), tags: new Set(['b', 'a']), bytes: new Uint8Array([1]) };
      process.stdout.write(cacheKey({ taskName: 'judge', version: '1', input, config: { deep: [1n] } }).key);`;
  const elsewhere = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: '/',
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const input = { bytes: new Uint8Array([1]), tags: new Set(['a', 'b']), when: new Date(5) };
  expect(elsewhere).toBe(key({ input, config: { deep: [1n] } }));
});
