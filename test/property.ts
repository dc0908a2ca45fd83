import fc from 'fast-check';
import { type RunnerTestSuite, type TestAPI, TestRunner, test as vitestTest } from 'vitest';

/**
 * Runs of each property, an integer: `STOWAGE_PROPERTY_RUNS=5000 npm run test:all` looks harder. Each run of the tests has new values, so
 * that few runs of each add up; the checks of a change, which have the same ones, make more.
 */
export const propertyRuns: number = Number(process.env.STOWAGE_PROPERTY_RUNS ?? 30);

// The checks of a change try the same values each time, so that they judge the change; everywhere else values are new ones.
const { STOWAGE_PROPERTY_SEED: seed } = process.env;
if (seed) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });

type Arbitraries<Values extends unknown[]> = { [Index in keyof Values]: fc.Arbitrary<Values[Index]> };

/**
 * Vitest's `test`, with `test.prop(arbitraries, parameters)(name, predicate, timeoutMs)` for a property of fast-check. Hooks around
 * each test run around each run of a property. A failure tells the seed and the path that repeat it.
 *
 * Why not `@fast-check/vitest`: its 0.4 builds every order of Vitest's modifiers, which takes 3 s and 300 MB in each test file.
 */
export const test: TestAPI & { prop: typeof prop } = Object.assign(vitestTest.extend({}), { prop });

function prop<Values extends [unknown, ...unknown[]]>(
  arbitraries: Arbitraries<Values>,
  parameters: fc.Parameters<Values> = {},
): (name: string, predicate: (...values: Values) => unknown, timeoutMs?: number) => void {
  return (name, predicate, timeoutMs) => {
    const property = fc.asyncProperty(...arbitraries, async (...values: Values) => {
      const outcome = await predicate(...values);
      return outcome === undefined || outcome === true;
    });
    vitestTest(name, () => fc.assert(property.beforeEach(hooksBetweenRuns()), parameters), timeoutMs);
  };
}

/** Ends a run and begins the next by the hooks around each test; Vitest itself calls them before the first and after the last. */
function hooksBetweenRuns(): () => Promise<void> {
  const task = TestRunner.getCurrentTest();
  if (task === undefined) throw new Error('A property runs in a test.');
  const suites: RunnerTestSuite[] = [];
  for (let suite = task.suite; suite !== undefined; suite = suite.suite) suites.unshift(suite);
  if (suites[0] !== task.file) suites.unshift(task.file);
  const hooks = suites.map((suite) => TestRunner.getSuiteHooks(suite));
  const before = hooks.flatMap(({ beforeEach }) => beforeEach);
  const after = hooks.flatMap(({ afterEach }) => afterEach).reverse();
  let isFirst = true;
  return async () => {
    if (!isFirst) for (const hook of [...after, ...before]) await hook(task.context, task.suite ?? task.file);
    isFirst = false;
  };
}
