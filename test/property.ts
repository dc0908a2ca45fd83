/** Runs of each property, an integer: `STOWAGE_PROPERTY_RUNS=5000 npm run test:all` looks harder. */
export const propertyRuns: number = Number(process.env.STOWAGE_PROPERTY_RUNS ?? 50);
