// What somebody meets who asks for a database, with and without its library. Usage: node databases.mjs <store> <installed|missing>; the store is the
// one of first-steps.mjs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FlowDataStore, isStowageError, openStorage, StoreIndex } from 'stowage';

const [store, libraries] = process.argv.slice(2);
// From Node.js 22.13 on it is its own.
const hasSqlite = libraries === 'installed' || process.getBuiltinModule?.('node:sqlite') !== undefined;
const bin = join(dirname(createRequire(import.meta.url).resolve('stowage/package.json')), 'dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'stowage-databases-'));
const file = join(folder, 'runs.db');
const asksFor = (library) => (error) =>
  isStowageError(error, 'STORAGE_UNSUPPORTED') && error.message.includes(`npm install ${library}`);

function stowage(...args) {
  const env = { ...process.env, STOWAGE_INDEXES: folder, NO_COLOR: '1' };
  return spawnSync(process.execPath, [bin, ...args, '--store', store], { encoding: 'utf8', env });
}

try {
  await assert.rejects(openStorage('postgres://localhost/runs'), asksFor('pg'));
  const inFile = { flowName: 'Train', storage: `sqlite:${file}` };
  if (hasSqlite) {
    const flow = await FlowDataStore.open(inFile);
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
    await flow.close();
  } else {
    await assert.rejects(FlowDataStore.open(inFile), asksFor('libsql'));
    await assert.rejects(StoreIndex.open({ store }), asksFor('libsql'));
    assert.equal(existsSync(file), false);
  }
  const asked = [
    ['index'],
    ['find', 'FirstSteps'],
    ['lineage', 'FirstSteps/latest/fit/0'],
    ['du'],
    ['sql', 'select 1'],
  ];
  for (const args of asked) {
    const { status, stdout, stderr } = stowage(...args);
    assert.equal(status, hasSqlite ? 0 : 1, stderr);
    if (hasSqlite) continue;
    assert.equal(stdout, '');
    assert.match(stderr.replaceAll(/\s+/g, ' '), /from 22\.13 on.*npm install libsql/);
  }
  for (const command of ['runs', 'ls', 'stat', 'published', 'fsck', 'gc', 'show FirstSteps/latest/fit/0'])
    assert.equal(stowage(...command.split(' ')).status, 0, command);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
