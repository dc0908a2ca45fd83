import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import valueVectors from '../../docs/format-vectors/values.json' with { type: 'json' };
import { digestHex } from '../../src/digest/blake3.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import type { NameEncoding } from '../../src/storage/names.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { noise, scratchFolder } from '../flow/fixtures.ts';
import { vectorTransformer } from '../values/arbitrary-value.ts';
import { findPython } from './python.ts';
import { expectedInStore, storeInFolder } from './store-vector.ts';
import { fromTagged, type Tagged } from './tagged-values.ts';

const docs = join(import.meta.dirname, '../../docs');
const python = findPython() as string;

/** What docs/format-reader.py, which shares no code with Stowage, reads of a task. */
function read(folder: string, flow: string, pathspec: string, ...artifacts: string[]): unknown {
  const { status, stdout, stderr } = runReader(folder, flow, pathspec, ...artifacts);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function runsOf(folder: string, flow: string): unknown {
  const { status, stdout, stderr } = runReader(folder, flow);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function runReader(...parameters: string[]): { status: number | null; stdout: string; stderr: string } {
  const options = { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 } as const;
  return spawnSync(python, [join(docs, 'format-reader.py'), ...parameters], options);
}

async function withFlow(
  folder: string,
  names: NameEncoding,
  maxInlineBytes: number,
  work: (flow: FlowDataStore) => Promise<void>,
): Promise<void> {
  const serializers = new SerializerRegistry();
  serializers.registerClass(vectorTransformer);
  await using storage = await LocalStorage.open(folder, { names, fsync: false });
  await work(await FlowDataStore.open({ flowName: 'Übung: 1', storage, serializers, maxInlineBytes }));
}

/** Saves artifacts as one task, and reads them by Python. */
async function throughPython(
  artifacts: Record<string, unknown>,
  { names = 'exact', maxInlineBytes = 16_384 }: { names?: NameEncoding; maxInlineBytes?: number } = {},
): Promise<Record<string, unknown>> {
  const folder = join(scratchFolder(), 'store');
  await withFlow(folder, names, maxInlineBytes, async (flow) => {
    await flow.task({ runId: '2026-03-01T12:00:00Z', stepName: 'aux', taskId: 'A.' }, (task) =>
      task.saveArtifacts(artifacts),
    );
  });
  const found = read(folder, 'Übung: 1', '2026-03-01T12:00:00Z/aux/A.') as {
    artifacts: Record<string, unknown>;
  };
  return found.artifacts;
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe.skipIf(python === undefined)('docs/format-reader.py', () => {
  it('agrees with the vectors', () => {
    const { stdout, stderr } = spawnSync(python, [join(import.meta.dirname, 'format-vectors.py'), docs], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(Number(stdout)).toBeGreaterThan(250);
  });

  const values = Object.fromEntries(valueVectors.cases.map(({ name, value }) => [name, value as Tagged]));
  const artifacts = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, fromTagged(value)]),
  );

  it.each([
    ['inline', 'exact', 16_384],
    ['as content', 'exact', 0],
    ['in a store that folds capitals', 'fold', 16],
  ] as const)('reads values of every type, %s', async (_how, names, maxInlineBytes) => {
    expect(await throughPython(artifacts, { names, maxInlineBytes })).toEqual(values);
  });

  it('reads references', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Test', storage: 'memory:' });
    const file = await flow.files.remote('https://example.org/x.csv', { digest: 'v1' });
    expect(await throughPython({ files: [file] })).toEqual({
      files: [
        {
          $: 'reference',
          kind: 'file',
          members: { name: 'x.csv', digest: 'v1', uri: 'https://example.org/x.csv' },
        },
      ],
    });
  });

  it('reads large content, of every codec', async () => {
    const random = noise(3_000_000);
    const floats = new Float64Array(100_000).map((_, index) => Math.sqrt(index));
    const text = 'the quick brown fox, '.repeat(50_000);
    const rows = Array.from({ length: 30_000 }, (_, id) => ({ id, name: `row ${id}`, weight: id / 7 }));
    const read = await throughPython({ random, floats, text, rows });
    expect(read.random).toEqual({ $: 'Uint8Array', bytes: random.length, blake3: digestHex(random) });
    const memory = new Uint8Array(floats.buffer);
    expect(read.floats).toEqual({ $: 'Float64Array', bytes: memory.length, blake3: digestHex(memory) });
    expect(read.text === text).toBe(true);
    expect(read.rows).toEqual(rows);
  });

  it('reads a table that was moved', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, index) => [`artifact ${index}`, index]),
    );
    expect(await throughPython(many)).toEqual(many);
  });

  it.each(['exact', 'fold'] as const)('reads store.json as %s files', (names) => {
    const folder = join(scratchFolder(), 'store');
    storeInFolder(folder, names);
    const { flow, run, done, hand, old } = expectedInStore;
    const found = read(folder, flow, done.pathspec) as { artifacts: object };
    expect(found).toMatchObject({
      attempt: done.attempt,
      metadata: done.metadata,
      artifacts: done.artifacts,
    });
    for (const [name, { type, bytes, key }] of Object.entries(done.large)) {
      expect(found.artifacts).toHaveProperty(name, { $: type, bytes, blake3: key });
    }
    expect(read(folder, flow, hand.pathspec)).toMatchObject({ artifacts: hand.artifacts });
    for (const refused of ['score/0', 'score/0/1', 'fit/0/0', 'fit/0/7', 'fit/1']) {
      expect(runReader(folder, flow, `${run}/${refused}`).status, refused).toBe(1);
    }
    for (const task of Object.keys(old)) {
      expect(runReader(folder, flow, `${run}/old/${task}`, 'large').status, task).toBe(1);
    }
    for (const task of ['purged', 'erased']) {
      expect(read(folder, flow, `${run}/old/${task}`, 'small')).toMatchObject({ artifacts: { small: 7 } });
    }
  });

  it('lists runs in the order of their creation, with and without a file that tells it', async () => {
    const folder = join(scratchFolder(), 'store');
    const made = ['b', 'c', 'a'];
    await withFlow(folder, 'exact', 0, async (flow) => {
      for (const runId of made) await flow.createRun({ runId });
    });
    expect(runsOf(folder, 'Übung: 1')).toEqual(made.toReversed());
    for (const [index, file] of filesIn(folder)
      .filter((name) => name.includes('at.'))
      .entries()) {
      if (index > 0) writeFileSync(join(file, '../at.5'), '');
      else rmSync(file);
    }
    expect(runsOf(folder, 'Übung: 1')).toEqual(made.toReversed());
    storeInFolder(`${folder}-2`, 'fold');
    expect(runsOf(`${folder}-2`, expectedInStore.flow)).toEqual([expectedInStore.run]);
  });

  it('reads another copy where the one that is named is gone or damaged, and a damaged one never', async () => {
    const folder = join(scratchFolder(), 'store');
    const content = Buffer.from('a content of its own, twice');
    await withFlow(folder, 'exact', 0, async (flow) => {
      const spec = { runId: 'r', stepName: 's', taskId: 't' };
      await flow.task(spec, (task) => task.saveArtifacts({ content }));
    });
    const [copy] = filesIn(join(folder, 'data')) as [string];
    const whole = readFileSync(copy);
    const other = copy.replace(/-\d{8}\./, '-99999999.');
    cpSync(copy, other);
    const damaged = Buffer.from(whole);
    damaged[60] = (damaged[60] as number) ^ 1;
    writeFileSync(copy, damaged);
    const expected = { content: { $: 'Uint8Array', hex: content.toString('hex') } };
    expect(read(folder, 'Übung: 1', 'r/s/t')).toMatchObject({ artifacts: expected });
    writeFileSync(other, damaged);
    expect(runReader(folder, 'Übung: 1', 'r/s/t').status).toBe(1);
  });

  it('finds a changed bit in whatever it reads', async () => {
    const folder = join(scratchFolder(), 'store');
    storeInFolder(folder);
    const { flow, done } = expectedInStore;
    const before = read(folder, flow, done.pathspec);
    const all = filesIn(folder).map((file) => file.replaceAll('\\', '/'));
    // The pack lies under the session that wrote the manifest.
    const session = all.join('\n').match(/manifests\/338\/\w+\.(\w+)-/)?.[1];
    const isRead = new RegExp(
      `(fit/0/1\\.DONE|fit/0/1\\.metadata\\.json|data/060.*|manifests/338.*|packs/${session}/.*|stowage\\.json)$`,
    );
    const files = all.filter((file) => isRead.test(file));
    expect(files.length).toBe(6);
    for (const file of files) {
      const bytes = readFileSync(file);
      for (const part of [0.02, 0.3, 0.7, 0.99]) {
        const changed = Buffer.from(bytes);
        const at = Math.floor(part * bytes.length);
        changed[at] = (changed[at] as number) ^ 4;
        writeFileSync(file, changed);
        expect(runReader(folder, flow, done.pathspec).status, `${file} at ${at}`).toBe(1);
      }
      writeFileSync(file, bytes);
    }
    expect(read(folder, flow, done.pathspec)).toEqual(before);
  });

  it('refuses a description that is whole, and not the one that DONE names', () => {
    const folder = join(scratchFolder(), 'store');
    storeInFolder(folder);
    const { flow, run, done } = expectedInStore;
    const [metadata] = filesIn(folder).filter(
      (file) => /fit.0.1\.metadata\.json$/.test(file) && file.includes('flows'),
    );
    cpSync((metadata as string).replace(/1\.metadata/, '0.metadata'), metadata as string);
    expect(runReader(folder, flow, done.pathspec).stderr).toContain('DONE');
    expect(read(folder, flow, `${run}/score/0/0`)).toMatchObject({ attempt: 0 });
  });
});
