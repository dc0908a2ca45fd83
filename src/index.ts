export type { ClassTransformer } from './artifacts/class-transformers.ts';
export { SerializerRegistry, type SerializerRegistryOptions } from './artifacts/registry.ts';
export type {
  ArtifactEncoding,
  DeserializeContext,
  SerializeContext,
  SerializedArtifact,
  SerializedValue,
  Serializer,
} from './artifacts/serializer.ts';
export type { AttemptStatus, ReadRule } from './attempts/attempt-reader.ts';
export type { SaveOptions } from './attempts/attempt-table.ts';
export type { LogName, LogStreams } from './attempts/log-parts.ts';
export type { Metadata } from './attempts/metadata-parts.ts';
export { formatPathspec, type Pathspec, parsePathspec } from './attempts/pathspec.ts';
export type { RunCreated, RunDescription, RunFinished, RunOutcome } from './attempts/runs.ts';
export type { JsonValue } from './codec/json-value.ts';
export type { Compression } from './codec/payload.ts';
export type {
  Blob,
  ContentStoreOptions,
  SaveBlobsOptions,
  SavedBlob,
  SavedData,
} from './content/content-addressed-store.ts';
export { ContentAddressedStore } from './content/content-addressed-store.ts';
export type { ReadOptions } from './content/content-reader.ts';
export type { ContentRef } from './content/content-ref.ts';
export type { DamageMessage } from './content/damage.ts';
export type { HeartbeatFailure } from './content/heartbeat.ts';
export type { RecordedError } from './content/session-files.ts';
export type { ContentAddress, StoredContent } from './content/stored-content.ts';
export {
  ERROR_CODES,
  type ErrorDetails,
  isStowageError,
  StowageError,
  type StowageErrorCode,
} from './errors.ts';
export { FlowDataStore } from './flow/flow-data-store.ts';
export type { CreateRunOptions, FlowDataStoreOptions, TaskSpec } from './flow/flow-options.ts';
export type { OpenTaskDataStore } from './flow/open-task-data-store.ts';
export type { Run, RunInfo, RunSummary } from './flow/run.ts';
export type { SchemaOutput, SchemaResult, StandardSchema } from './flow/standard-schema.ts';
export type { ArtifactInfo, TaskDataStore } from './flow/task-data-store.ts';
export type { GetTasksOptions } from './flow/task-selection.ts';
export type * from './storage/contract.ts';
export { CountStorage, type OperationCount, type StorageCounts } from './storage/count.ts';
export { StorageDecorator, type StorageOperation } from './storage/decorator.ts';
export { type Fault, type FaultPlan, FaultStorage } from './storage/fault.ts';
export { LimitStorage } from './storage/limit.ts';
export { LocalStorage, type LocalStorageOptions } from './storage/local.ts';
export { MemoryStorage } from './storage/memory.ts';
export {
  type OpenStorageOptions,
  openStorage,
  registerStorage,
  type StorageFactory,
} from './storage/open.ts';
export { PrefixStorage } from './storage/prefix.ts';
export { type RetryOptions, RetryStorage } from './storage/retry.ts';
