/// <reference types="node" preserve="true" />
export type { ConformanceCase, TestRunner } from './conformance.ts';
export { describeStorage, storageConformance } from './conformance.ts';
