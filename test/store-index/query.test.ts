import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import type { SelectOptions, SqlRow, SqlStatement, StorageDatabase } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { QueryOptions, QueryRow } from '../../src/store-index/query.ts';
import type { StoreIndex } from '../../src/store-index/store-index.ts';
import { StoreIndex as Index } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { test } from '../property.ts';
import { allOf } from './asked-store.ts';
import { filesOf, openIndex, rowsOf } from './indexes.ts';

const TASKS = 5;

async function indexOfTasks(): Promise<{ index: StoreIndex; path: string; storage: MemoryStorage }> {
  const storage = new MemoryStorage();
  const flow = await openFlow({ flowName: 'Train', storage });
  for (let task = 0; task < TASKS; task += 1)
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: `${task}` }, (open) =>
      open.saveArtifacts({ task }),
    );
  const { index, path } = await openIndex({ store: storage });
  await index.catchUp();
  return { index, path, storage };
}

function rowsFor(index: StoreIndex, sql: string, options?: QueryOptions): Promise<QueryRow[]> {
  return allOf(index.query(sql, options));
}

/** All that a statement could have changed. */
function bytesOf(path: string): unknown {
  const contents = ['', '-wal'].map((suffix) =>
    existsSync(path + suffix) ? readFileSync(path + suffix) : '',
  );
  return [filesOf(dirname(path)), ...contents];
}

const NUMBERS = 'with recursive numbers (n) as (select 1 union all select n + 1 from numbers)';

describe('a query to an index', () => {
  it('gives rows by the names of their columns, in the order of the statement', async () => {
    const { index } = await indexOfTasks();
    const text =
      'select task, count(*) as n from attempts where step = $2 and task >= $1 group by task order by task desc ; \n';
    expect(await rowsFor(index, text, { parameters: ['3', 'fit'] })).toEqual([
      { task: '4', n: 1 },
      { task: '3', n: 1 },
    ]);
    expect(await rowsFor(index, 'values (1, 2), (3, 4)')).toHaveLength(2);
    expect(await rowsFor(index, '-- of whom?\nselect task from attempts -- all; of them')).toHaveLength(
      TASKS,
    );
    expect(await rowsFor(index, 'select 1 as n, 2 as n, \'; $7\' as "x;y ?" /* ; :a */ where 1')).toEqual([
      { n: 1, 'n:1': 2, 'x;y ?': '; $7' },
    ]);
  });

  it('gives each kind of value as it is, whole numbers without losing digits', async () => {
    const { index } = await indexOfTasks();
    const text =
      "select null as a, 1 as b, -9007199254740993 as c, 0.5 as d, 'é' as e, x'00ff' as f, 1e999 as g, 9223372036854775807 as h";
    expect(await rowsFor(index, text)).toEqual([
      {
        a: null,
        b: 1,
        c: -9007199254740993n,
        d: 0.5,
        e: 'é',
        f: Uint8Array.of(0, 255),
        g: Number.POSITIVE_INFINITY,
        h: 9223372036854775807n,
      },
    ]);
  });

  test.prop([
    fc.array(
      fc.oneof(
        fc.constant(null),
        fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
        fc.maxSafeInteger(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.uint8Array(),
      ),
      { minLength: 1, maxLength: 12 },
    ),
  ])('gives the values of parameters again', async (values) => {
    const { index } = await indexOfTasks();
    const columns = values.map((_, at) => `$${at + 1} as c${at}`).reverse();
    const [row = {}] = await rowsFor(index, `select ${columns.join(', ')}`, { parameters: values });
    const told = values.map((_, at) => row[`c${at}`]);
    const expected = values.map((value) =>
      typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value,
    );
    expect(told).toEqual(expected);
  });

  it('takes whole numbers for such, and true and false for 1 and 0', async () => {
    const { index } = await indexOfTasks();
    expect(
      await rowsFor(index, 'select 7 / $1 as a, $2 as b, $3 as c', { parameters: [2, true, false] }),
    ).toEqual([{ a: 3, b: 1, c: 0 }]);
  });

  it('makes rows as they are taken, 10,000 where no limit is given, and ends when it is left', async () => {
    const { index, path } = await indexOfTasks();
    expect(await rowsFor(index, `${NUMBERS} select n from numbers`)).toHaveLength(10_000);
    expect(await rowsFor(index, `${NUMBERS} select n from numbers`, { limit: 3 })).toHaveLength(3);
    let last: unknown;
    for await (const { n } of index.query(`${NUMBERS} select n from numbers`, { limit: 10 ** 12 })) {
      last = n;
      if (n === 1_234) break;
    }
    expect(last).toBe(1_234);
    await index.rebuild(); // nothing holds the file any more
    expect(await rowsOf(path)).toMatchObject({ attempts: { length: TASKS } });
  });

  it('ends when it is aborted, between two rows of an answer without an end', async () => {
    const { index } = await indexOfTasks();
    const aborting = new AbortController();
    setTimeout(() => aborting.abort(), 5);
    const endless = rowsFor(index, `${NUMBERS} select n from numbers where n % 1000 = 0`, {
      limit: 10 ** 12,
      signal: aborting.signal,
    });
    await errorOf(endless, 'ABORTED');
    await errorOf(rowsFor(index, 'select 1', { signal: AbortSignal.abort() }), 'ABORTED');
  });

  it('is of one state, whatever is written meanwhile', async () => {
    const { index, storage } = await indexOfTasks();
    const other = await openFlow({ flowName: 'Other', storage });
    const answer = index.query(
      'select a.task from attempts a, attempts b, attempts c, attempts d, attempts e',
      {
        limit: 100_000,
      },
    );
    await answer.next();
    await other.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (open) => open.saveArtifacts({ x: 1 }));
    await index.catchUp();
    expect(await allOf(answer)).toHaveLength(TASKS ** 5 - 1);
    expect(await rowsFor(index, 'select task from attempts')).toHaveLength(TASKS + 1);
  });

  it('is refused before there is an index, and of one that is made anew at that moment', async () => {
    const { storage } = await indexOfTasks();
    const { index, path } = await openIndex({ store: storage });
    await errorOf(rowsFor(index, 'select 1'), 'INDEX_NOT_READY');
    expect(existsSync(path)).toBe(false);

    const address = `sqlite:${join(scratchFolder(), 'store.db')}`;
    const flow = await openFlow({ flowName: 'Train', storage: address });
    await flow.task({ runId: 'r1', stepName: 's', taskId: '0' }, (open) => open.saveArtifacts({ x: 1 }));
    const inner = await openStorage(address);
    afterThisTest(() => inner.close());
    const other = await Index.open({ store: inner });
    afterThisTest(() => other.close());
    await other.catchUp();
    class RebuiltInBetween extends StorageDecorator {
      override get database(): StorageDatabase {
        const database = super.database as StorageDatabase;
        return {
          type: database.type,
          address: database.address,
          read: (...given) => database.read(...given),
          write: (...given) => database.write(...given),
          async *select(
            statement: SqlStatement,
            options: SelectOptions,
          ): AsyncGenerator<readonly SqlRow[], void> {
            await other.rebuild();
            yield* database.select(statement, options);
          },
        };
      }
    }
    const asked = await Index.open({ store: new RebuiltInBetween(inner) });
    afterThisTest(() => asked.close());
    await errorOf(rowsFor(asked, 'select * from attempts'), 'INDEX_NOT_READY');
  });

  it.each([
    ['selec 1', 'syntax error'],
    ['', 'syntax error'],
    ['select * from nowhere', 'no such table: nowhere'],
    ['select nope from runs', 'no such column: nope'],
    ["select json_extract('{', '$')", 'malformed JSON'],
    ["select 'unfinished", 'unrecognized token'],
  ])('tells in the words of the database what %j has wrong', async (text, words) => {
    const { index } = await indexOfTasks();
    expect((await errorOf(rowsFor(index, text), 'INVALID_ARGUMENT')).message).toContain(words);
  });

  it.each([
    ['select $2', [1], 'uses the parameter $2, and 1 is given'],
    ['select 1', [1], 'does not use the parameter $1'],
    ['select ?', [1], 'uses the parameter ?'],
    ['select :name', [], 'uses the parameter :name'],
    ['select @name, $1', [1], 'uses the parameter @name'],
  ])('tells which parameter of %j is wrong', async (text, parameters, words) => {
    const { index } = await indexOfTasks();
    const { message } = await errorOf(rowsFor(index, text, { parameters }), 'INVALID_ARGUMENT');
    expect(message).toContain(words);
  });

  it.each([
    ['a date', { parameters: [new Date()] }, '$1'],
    ['nothing', { parameters: [1, undefined] }, '$2'],
    ['no number', { parameters: [Number.NaN] }, '$1'],
    ['more than 64 bits', { parameters: [2n ** 63n] }, '$1'],
    ['no list', { parameters: 'abc' }, 'list'],
    ['no limit', { limit: 0 }, 'limit'],
    ['an unknown option', { limits: 1 }, 'limits'],
  ])('refuses %s at once', async (_what, options, words) => {
    const { index } = await indexOfTasks();
    expect(() => index.query('select 1', options as QueryOptions)).toThrow(words);
    expect(() => index.query('select 1\0')).toThrow('character 0');
  });
});

/** Statements, and beginnings of such, that would change something, or escape from the statement around them. */
const HOSTILE = [
  "insert into runs (flow, run) values ('a', 'b')",
  "insert into runs (flow, run) values ('a', 'b') returning *",
  "with x as (select 1) insert into runs (flow, run) select 'a', 'b' from x returning *",
  'delete from runs',
  'drop table runs',
  'select 1; drop table runs',
  'select 1); drop table runs; --',
  'select 1) as answer limit 1; drop table runs; --',
  'select 1) /*',
  'select 1) union select 2 /* ',
  'create table runs_too as select * from runs',
  'create temp table t (x)',
  "attach 'other.db' as other",
  "attach 'ATTACHED' as other; select 1",
  "vacuum into 'ATTACHED'",
  'vacuum',
  'reindex',
  'analyze',
  'begin',
  'commit',
  'rollback',
  'pragma query_only = off',
  'pragma user_version = 7',
  'pragma journal_mode = delete',
  'pragma writable_schema = on; select 1',
  "select * from pragma_journal_mode('delete')",
  'select * from pragma_query_only(0)',
  "select load_extension('ATTACHED')",
  "select writefile('ATTACHED', 'x')",
  "select \"writefile\"('ATTACHED', 'x') from runs",
  "select 1 where writefile('ATTACHED', 'x') is not null",
  "with x as (select writefile('ATTACHED', 'x') as w) select 1 from x where w > 0",
  "select (select max(writefile('ATTACHED', 'x')) from runs)",
  "select count(*) filter (where writefile('ATTACHED', 'x')) from runs",
  "select sum(1) over (order by writefile('ATTACHED', 'x')) from runs",
  "select flow from runs order by writefile('ATTACHED', 'x')",
  "select edit('x', 'touch ATTACHED')",
  "select readfile('/etc/hostname')",
  "select data from fsdir('/etc')",
  'select data from main."fsdir"(\'/etc\')',
  "select fts3_tokenizer('simple', x'00')",
];

describe('a statement that would change something', () => {
  it.each(HOSTILE)('is refused, and changes nothing: %s', async (template) => {
    const { index, path } = await indexOfTasks();
    const aside = join(dirname(path), 'aside');
    const before = bytesOf(path);
    const { message } = await errorOf(
      rowsFor(index, template.replaceAll('ATTACHED', aside)),
      'INVALID_ARGUMENT',
    );
    expect(message.length).toBeGreaterThan(20);
    expect(bytesOf(path)).toEqual(before);
  });

  const PIECES = [
    ...HOSTILE,
    ...[
      'select',
      '1',
      '*',
      'from',
      'runs',
      '(',
      ')',
      ';',
      ',',
      '--',
      '\n',
      '/*',
      '*/',
      "'",
      '"',
      '`',
      '[',
      ']',
    ],
    ...[
      'with',
      'as',
      'x',
      'union',
      'values',
      'limit',
      'explain',
      'returning',
      '$1',
      '?',
      'insert into runs',
      '\\',
    ],
  ];
  test.prop([
    fc.array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...PIECES) }, fc.string({ maxLength: 6 })), {
      minLength: 1,
      maxLength: 8,
    }),
  ])('changes nothing, whatever its text is', async (pieces) => {
    const { index, path } = await indexOfTasks();
    const before = bytesOf(path);
    const text = pieces
      .join(' ')
      .replaceAll('ATTACHED', join(dirname(path), 'aside'))
      .replaceAll('\0', '');
    try {
      await rowsFor(index, text, { limit: 10 });
    } catch (error) {
      if (!isStowageError(error, 'INVALID_ARGUMENT')) throw error;
    }
    expect(bytesOf(path)).toEqual(before);
  });
});
