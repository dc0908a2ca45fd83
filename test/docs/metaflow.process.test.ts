import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeApi } from '../../.ci/api-reference.mjs';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/metaflow.md'), 'utf8');
/** The members of each export; those that an exported base explains are told there, and belong to it here as well. */
const members = withBase(describeApi().members, 'ContentAddressedStore', 'ContentStore');

/** The page's names for an instance of each. */
const INSTANCES: Readonly<Record<string, string>> = {
  flow: 'FlowDataStore',
  run: 'Run',
  task: 'OpenTaskDataStore',
  fit: 'TaskDataStore',
  set: 'TaskDataStoreSet',
  caStore: 'ContentAddressedStore',
  storage: 'DataStoreStorage',
  cache: 'ByteCache',
};

function withBase(of: Map<string, string[]>, name: string, base: string): Map<string, string[]> {
  return new Map(of).set(name, [...(of.get(name) ?? []), ...(of.get(base) ?? [])]);
}

/** The code in a text, without what is passed to it. */
function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => (code as string).replace(/\(.*$/, ''));
}

/** The tables' rows, cell by cell, with the heading above them. */
const rows = page.split('\n## ').flatMap((section) => {
  const heading = section.slice(0, section.indexOf('\n'));
  return [...section.matchAll(/^\|(.*)\|$/gm)]
    .map(([, row]) => (row as string).split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .filter(([first]) => first !== 'Metaflow' && first !== 'Stowage' && !first?.startsWith('---'))
    .map((cells) => ({ heading, cells }));
});
const compared = rows.filter(({ cells }) => cells.length === 3);
const oursAlone = rows.filter(({ cells }) => cells.length === 2);
const ours = [
  ...compared.map(({ cells }) => cells[1] as string),
  ...oursAlone.map(({ cells }) => cells[0] as string),
].flatMap(codeIn);

/** True if there is an export, or a member, that `instance.member` or `Export.member` names. */
function exists(name: string): boolean {
  const [owner = '', member] = name.split('.');
  const known = members.get(INSTANCES[owner] ?? owner);
  return known !== undefined && (member === undefined ? !(owner in INSTANCES) : known.includes(member));
}

describe('docs/metaflow.md', () => {
  it('has its tables', () => {
    expect(compared.length).toBeGreaterThan(60);
    expect(oursAlone.length).toBeGreaterThan(10);
  });

  it('names nothing of Stowage that does not exist', () => {
    const inText = codeIn(page).filter(
      (code) => /^(\w+)\.\w+$/.test(code) && (code.split('.')[0] as string) in INSTANCES,
    );
    expect([...new Set([...ours, ...inText])].filter((name) => !exists(name))).toEqual([]);
  });

  it.each(Object.entries(INSTANCES))(
    'tells of every member of %s (%s) what it is beside Metaflow',
    (instance, name) => {
      const known = members.get(name) ?? [];
      expect(known.length).toBeGreaterThan(1);
      const isTold = (member: string) =>
        ours.includes(`${instance}.${member}`) || ours.includes(`${name}.${member}`);
      expect(known.filter((member) => !isTold(member))).toEqual([]);
    },
  );

  it('says of what has no counterpart why, and of everything else what it is', () => {
    const silent = compared.filter(
      ({ cells: [, stowage, difference] }) => stowage === '' && difference === '',
    );
    expect(silent).toEqual([]);
    expect(oursAlone.filter(({ cells: [, purpose] }) => purpose === '')).toEqual([]);
  });
});

interface Metaflow {
  version: string;
  /** The public names of each class, in the order of its source; those that the constructor sets come after it. */
  names: Record<string, string[]>;
}

const LIST_NAMES = `
import inspect, json, re, metaflow
from metaflow.datastore import FlowDataStore, TaskDataStore, TaskDataStoreSet
from metaflow.datastore.content_addressed_store import BlobCache, ContentAddressedStore
from metaflow.datastore.datastore_storage import DataStoreStorage
from metaflow.datastore.flow_datastore import MetadataCache

PROTOCOL = {"__init__", "__contains__", "__getitem__", "__iter__", "__str__"}

def names(cls):
    found = []
    for name, value in vars(cls).items():
        if name.startswith("_") and name not in PROTOCOL:
            continue
        found.append(name)
        if name == "__init__":
            found += re.findall(r"self\\.([A-Za-z]\\w*) = ", inspect.getsource(value))
    return list(dict.fromkeys(found))

classes = [FlowDataStore, TaskDataStore, TaskDataStoreSet, ContentAddressedStore, DataStoreStorage, BlobCache, MetadataCache]
print(json.dumps({"version": metaflow.__version__, "names": {cls.__name__: names(cls) for cls in classes}}))
`;

/** Metaflow, as a Python tells that has it: the one that is named, the machine's, or the benchmark's. */
function findMetaflow(version: string): Metaflow | undefined {
  const named = process.env.STOWAGE_TEST_METAFLOW_PYTHON;
  const venv = join(root, 'node_modules/.cache/stowage-bench/venv');
  const benchmarks = join(venv, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const candidates = named ? [named] : ['python3', ...(existsSync(benchmarks) ? [benchmarks] : [])];
  const failures: string[] = [];
  for (const python of candidates) {
    const { status, stdout, stderr, error } = spawnSync(python, ['-c', LIST_NAMES], {
      encoding: 'utf8',
      timeout: 120_000,
    });
    const found = status === 0 ? (JSON.parse(stdout) as Metaflow) : undefined;
    if (found?.version.startsWith(`${version}.`)) return found;
    const failure = error?.message ?? stderr.trim().split('\n').at(-1);
    failures.push(`${python}: ${found ? `has Metaflow ${found.version}` : failure}`);
  }
  if (named)
    throw new Error(`STOWAGE_TEST_METAFLOW_PYTHON has no Metaflow ${version}: ${failures.join('; ')}`);
  console.warn(
    `NOT TESTED: whether docs/metaflow.md has all names of Metaflow ${version}, for want of a Python that has it ` +
      `(${failures.join('; ')}). Name one by STOWAGE_TEST_METAFLOW_PYTHON, or let npm run bench install it.`,
  );
  return undefined;
}

const version = /Metaflow (\d+\.\d+)'s\s/.exec(page)?.[1] as string;
const metaflow = findMetaflow(version);

describe.skipIf(metaflow === undefined)(`docs/metaflow.md beside Metaflow ${version}`, () => {
  const names = metaflow?.names ?? {};

  it.each(Object.keys(names))('has all names of %s, in the order of its source', (name) => {
    const told = compared
      .filter(({ heading }) => heading === name)
      .flatMap(({ cells }) => codeIn(cells[0] as string));
    expect(told).toEqual(names[name]);
  });
});
