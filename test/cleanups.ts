const cleanups: (() => unknown)[] = [];

/** Does this after the test, or the run of a property, in which it is called. */
export function afterThisTest(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** Does all that was asked for, the last first. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}
