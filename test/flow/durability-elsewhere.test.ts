import { fstatSync, linkSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LocalStorage } from '../../src/storage/local.ts';
import { noise, openFlow, scratchFolder } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

/** A storage in a folder that writes down, in order, what it links and what it syncs: `link <path>`, `sync <path>`. */
function observed(root: string, log: string[]): Promise<LocalStorage> {
  return LocalStorage.open(root, {
    system: {
      nowMs: () => 0, // or a busy machine, where an fsync seems slow, syncs in the thread pool
      fsyncSync: (fd) => {
        if (fstatSync(fd).isDirectory()) log.push(`sync ${readlinkSync(`/proc/self/fd/${fd}`)}`);
      },
      linkSync: (from, to) => {
        linkSync(from, to);
        log.push(`link ${to}`);
      },
    },
  });
}

describe.runIf(process.platform === 'linux')('content at a place in a folder', () => {
  const places = { 'that was written': 0, 'that somebody else wrote': 1, 'outside a task': 2 };
  it.each(Object.entries(places))('%s is durable before DONE appears', async (_, variant) => {
    const folder = scratchFolder();
    const [home, raw] = [join(folder, 'store'), join(folder, 'raw')];
    const log: string[] = [];
    const open = async () =>
      openFlow({ storage: await observed(home, log), openPlace: () => observed(raw, log) });
    const flow = await open();
    const values = { small: noise(20_000), large: noise(600_000) };
    const save = async (taskId: string, by = flow) =>
      by.task({ ...spec, taskId, rawDataPath: raw }, (task) => task.saveArtifacts(values));
    if (variant === 2) await flow.caStore.saveBlobs(Object.values(values), { rawDataPath: raw });
    else await save('0');
    const written = log.filter((entry) => entry.startsWith(`link ${raw}`) && !entry.endsWith('owner.json'));
    expect(written).toHaveLength(3);
    if (variant === 1) {
      log.length = 0;
      await save('1', await open());
      expect(log.filter((entry) => entry.startsWith(`link ${raw}`))).toEqual([]);
    }
    const done = log.findLastIndex((entry) => entry.endsWith('.DONE') && entry.startsWith('link'));
    expect(done).toBeGreaterThan(-1);
    for (const entry of written) {
      const linked = log.indexOf(entry);
      const synced = log.findIndex((other, at) => at > linked && other === `sync ${dirname(entry.slice(5))}`);
      expect(synced, entry).toBeGreaterThan(linked);
      expect(synced, entry).toBeLessThan(done);
    }
  });
});
