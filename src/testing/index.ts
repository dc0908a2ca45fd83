export type { ConformanceCase, TestRunner } from './conformance.ts';
export { describeStorage, storageConformance } from './conformance.ts';
