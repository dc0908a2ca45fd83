/** Runs of each property: `STOWAGE_PROPERTY_RUNS=5000 npx vitest run` looks harder. */
export const propertyRuns: number = Number(process.env.STOWAGE_PROPERTY_RUNS ?? 200);
