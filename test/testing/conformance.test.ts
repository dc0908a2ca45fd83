import { describe, expect, it } from 'vitest';
import type {
  CreateOptions,
  DataStoreStorage,
  GetOptions,
  ListOptions,
  ListPage,
  OverwriteOptions,
} from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { describeStorage, storageConformance } from '../../src/testing/index.ts';

type Body = Uint8Array | AsyncIterable<Uint8Array>;
let count = 0;

/** The cases, of those that are asked for, that storages of this kind fail. */
async function failuresOf(open: (name: string) => DataStoreStorage, cases = /^/): Promise<string[]> {
  count += 1;
  const name = `suite ${count}`;
  const failures: string[] = [];
  for (const one of storageConformance().filter((each) => cases.test(each.name))) {
    try {
      await one.run(async () => open(name));
    } catch {
      failures.push(one.name);
    }
  }
  return failures;
}

it('passes for a storage that keeps its promises', async () => {
  expect(await failuresOf((name) => new MemoryStorage(name))).toEqual([]);
});

class Replacing extends MemoryStorage {
  override async create(name: string, body: Body, options?: CreateOptions) {
    if (body instanceof Uint8Array && !options?.signal?.aborted) {
      await this.overwrite(name, body);
      return true;
    }
    return super.create(name, body, options);
  }
}
class CheckThenAct extends MemoryStorage {
  override async create(name: string, body: Body, options?: CreateOptions) {
    if (await this.head(name)) return false;
    await new Promise(setImmediate);
    if (!(body instanceof Uint8Array)) return super.create(name, body, options);
    await super.overwrite(name, body);
    return true;
  }
}
/** Of a hundred names one meets the moment between the look and the write. */
class SeldomCheckThenAct extends CheckThenAct {
  override async create(name: string, body: Body, options?: CreateOptions) {
    return name.endsWith('57')
      ? super.create(name, body, options)
      : MemoryStorage.prototype.create.call(this, name, body, options);
  }
}
class LeavesHalves extends MemoryStorage {
  override async create(name: string, body: Body, options?: CreateOptions) {
    if (!(body instanceof Uint8Array)) await super.create(name, new Uint8Array(0), options).catch(() => {});
    return super.create(name, body, options);
  }
}
class NoRanges extends MemoryStorage {
  override get(name: string, options: GetOptions = {}) {
    return super.get(name, { ...options, range: undefined });
  }
}
class NoLimit extends MemoryStorage {
  override get(name: string, options: GetOptions = {}) {
    return super.get(name, { ...options, maxBytes: undefined });
  }
}
class Unordered extends MemoryStorage {
  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    for await (const page of super.list(options)) yield { ...page, objects: page.objects.reverse() };
  }
}
class Utf16Ordered extends MemoryStorage {
  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    for await (const page of super.list(options))
      yield { ...page, objects: page.objects.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }
}
class OnePage extends MemoryStorage {
  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const all: ListPage = { objects: [], folders: [] };
    for await (const page of super.list(options)) {
      all.objects.push(...page.objects);
      all.folders.push(...page.folders);
    }
    yield all;
  }
}
class FirstPageOnly extends MemoryStorage {
  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    for await (const page of super.list(options)) {
      yield page;
      return;
    }
  }
}
class DropsStartAfter extends MemoryStorage {
  override list(options: ListOptions) {
    return super.list({ ...options, startAfter: undefined });
  }
}
class NoIfMatch extends MemoryStorage {
  override overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}) {
    return super.overwrite(name, body, { ...options, ifMatch: undefined });
  }
}
class FoldsCase extends MemoryStorage {
  override create(name: string, body: Body, options?: CreateOptions) {
    return super.create(typeof name === 'string' ? name.toLowerCase() : name, body, options);
  }
  override get(name: string, options?: GetOptions) {
    return super.get(typeof name === 'string' ? name.toLowerCase() : name, options);
  }
}
class NeverDeletes extends MemoryStorage {
  override async delete() {
    return [];
  }
}
class NeverCloses extends MemoryStorage {
  override async close() {}
}
class ThrowsOnDelete extends MemoryStorage {
  override async delete(names: readonly string[]) {
    for (const name of names) if (!(await this.head(name))) throw new Error('not found');
    return super.delete(names);
  }
}
class IgnoresAborts extends MemoryStorage {
  override get(name: string, options: GetOptions = {}) {
    return super.get(name, { ...options, signal: undefined });
  }
}
class Thawed extends MemoryStorage {
  override readonly capabilities = { ...new MemoryStorage().capabilities };
}

describe('fails for a storage that breaks one promise:', () => {
  it.each([
    ['create replaces', Replacing, /^create: a name that is taken/],
    ['create looks first and writes later', CheckThenAct, /^create: of 50 at once/],
    ['create seldom meets the moment between', SeldomCheckThenAct, /^create: of two at once/],
    ['create leaves half an object', LeavesHalves, /^create: a stream that fails/],
    ['get ignores ranges', NoRanges, /^get: a range is the part/],
    ['get ignores maxBytes', NoLimit, /^get: more than maxBytes/],
    ['get ignores aborts', IgnoresAborts, /an aborted call throws ABORTED/],
    ['list is not in order', Unordered, /^list: ascending/],
    ['list is in the order of UTF-16', Utf16Ordered, /^list: ascending/],
    ['list gives one page', OnePage, /come in pages/],
    ['list gives the first page only', FirstPageOnly, /come in pages/],
    ['list ignores startAfter', DropsStartAfter, /^list: startAfter/],
    ['overwrite ignores ifMatch', NoIfMatch, /^overwrite: with ifMatch, only/],
    ['names fold case', FoldsCase, /^names: awkward/],
    ['delete does nothing', NeverDeletes, /^delete: what is deleted is gone/],
    ['delete throws', ThrowsOnDelete, /^delete: names that do not exist/],
    ['close does nothing', NeverCloses, /^close: finishes/],
    ['capabilities are not frozen', Thawed, /^capabilities/],
  ])('%s', async (_, Broken, expected) => {
    expect(await failuresOf((name) => new Broken(name), expected)).not.toEqual([]);
  });
});

it('registers with any runner, and skips what the capabilities do not ask for', async () => {
  class Plain extends MemoryStorage {
    override readonly capabilities = Object.freeze({ ...new MemoryStorage().capabilities, ifMatch: false });
  }
  const titles: string[] = [];
  const tests = new Map<string, (context?: unknown) => Promise<void>>();
  const runner = {
    describe: (title: string, body: () => void) => {
      titles.push(title);
      body();
    },
    it: (name: string, body: (context?: unknown) => Promise<void>) => tests.set(name, body),
  };
  describeStorage(runner, 'plain', async () => new Plain('suite of a runner'));
  expect(titles).toEqual(['plain']);
  expect(tests.size).toBe(storageConformance().length);
  const skipped: string[] = [];
  for (const [name, body] of tests) await body({ skip: () => skipped.push(name) });
  expect(skipped).not.toEqual([]);
  expect(skipped.every((name) => name.includes('ifMatch'))).toBe(true);
});
