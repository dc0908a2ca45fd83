import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';

const GONE = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('memory was transferred') };

function noise(bytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 2654435761) >>> 13);
}

async function open(): Promise<FlowDataStore> {
  return FlowDataStore.open({ flowName: 'Train', storage: new MemoryStorage() });
}

describe('memory that its owner transfers while it is saved', () => {
  // Small content, and content in chunks.
  it.each([20_000, 600_000])('is a typed error, and no artifact: %i bytes', async (bytes) => {
    const flow = await open();
    const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: '0' });
    const value = noise(bytes);
    const saving = task.saveArtifacts({ value });
    structuredClone(value.buffer, { transfer: [value.buffer] });
    await expect(saving).rejects.toMatchObject(GONE);
    await task.saveArtifacts({ value: noise(bytes) });
    await task.done();
    expect(await (await flow.getTaskDataStore('r/s/0')).get('value')).toEqual(noise(bytes));
  });

  it.each([20_000, 600_000])('is whole or a typed error, whenever it goes: %i bytes', async (bytes) => {
    const flow = await open();
    for (let turns = 1; turns <= 40; turns++) {
      const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: `${turns}` });
      const value = noise(bytes + turns);
      const saving = task.saveArtifacts({ value }).then(
        () => undefined,
        (error: unknown) => error,
      );
      for (let turn = 0; turn < turns; turn++) await undefined;
      structuredClone(value.buffer, { transfer: [value.buffer] });
      const error = await saving;
      if (error !== undefined) {
        expect(error).toMatchObject(GONE);
        await task.fail(error);
        continue;
      }
      await task.done();
      const saved = await flow.getTaskDataStore(`r/s/${turns}`);
      expect(saved.artifactSizes()).toMatchObject({ value: { bytes: bytes + turns } });
      expect(await saved.get('value')).toEqual(noise(bytes + turns));
    }
  });

  it('is a typed error of content outside of tasks, blobs and plain files', async () => {
    const flow = await open();
    const [blob, file] = [noise(20_000), noise(30_000)];
    const saving = flow.caStore.saveBlobs([blob]);
    structuredClone(blob.buffer, { transfer: [blob.buffer] });
    await expect(saving).rejects.toMatchObject(GONE);
    const savingFile = flow.caStore.saveData([{ name: 'a.bin', data: file }]);
    structuredClone(file.buffer, { transfer: [file.buffer] });
    await expect(savingFile).rejects.toMatchObject(GONE);
    const writer = flow.files.create('b.bin');
    await expect(writer.write(file)).rejects.toMatchObject(GONE);
    await writer.abort();
  });

  it('is not taken for an empty content that is saved beside it, while others are hashed', async () => {
    const flow = await open();
    const long = noise(8_000_000);
    for (let turns = 1; turns <= 12; turns++) {
      const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: `${turns}` });
      const value = noise(20_000);
      const artifacts = { none: new Uint8Array(0), long, value };
      const saving = task.saveArtifacts(artifacts, { inline: false }).then(
        () => undefined,
        (error: unknown) => error,
      );
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      structuredClone(value.buffer, { transfer: [value.buffer] });
      const error = await saving;
      if (error !== undefined) {
        expect(error).toMatchObject(GONE);
        await task.fail(error);
        continue;
      }
      await task.done();
      expect(await (await flow.getTaskDataStore(`r/s/${turns}`)).get('value')).toEqual(noise(20_000));
    }
  });

  // A stream that is read whole at first, one that is cut into chunks as it comes, and a file kept as it is.
  it.each<[string, number, boolean]>([
    ['a short stream', 20_000, false],
    ['a long stream', 500_000, false],
    ['a plain file', 500_000, true],
  ])('is whole or a typed error, whenever it goes, as a piece of %s', async (_, bytes, plain) => {
    const flow = await open();
    const refused: number[] = [];
    for (let turns = 0; turns <= 30; turns++) {
      const pieces = [noise(bytes), noise(bytes + 1)] as const;
      const whole = Buffer.concat(pieces);
      async function* source(): AsyncGenerator<Uint8Array> {
        for (const piece of pieces) {
          void (async () => {
            for (let turn = 0; turn < turns; turn++) await (turn < 20 ? undefined : nextTurn());
            if (piece === pieces[1]) structuredClone(piece.buffer, { transfer: [piece.buffer] });
          })();
          yield piece;
        }
      }
      const { caStore } = flow;
      const saving = plain
        ? caStore.saveData([{ name: `${turns}.bin`, data: source() }])
        : caStore.saveBlobs([source()]);
      const [saved] = await saving.catch((error: unknown) => {
        expect(error).toMatchObject(GONE);
        return [];
      });
      if (saved === undefined) refused.push(turns);
      else for await (const { blob } of caStore.loadBlobs([saved])) expect(whole.equals(blob)).toBe(true);
    }
    expect(refused).not.toEqual([]);
  });
});
