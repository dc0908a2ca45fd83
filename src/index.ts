export { CACHE_DIGEST, type CacheDigest } from './artifacts/cache-digest.ts';
export type { ClassTransformer } from './artifacts/class-transformers.ts';
export {
  type SerializeOptions,
  SerializerRegistry,
  type SerializerRegistryOptions,
} from './artifacts/registry.ts';
export type {
  ArtifactEncoding,
  DeserializeContext,
  SerializeContext,
  SerializedArtifact,
  SerializedValue,
  Serializer,
  SerializerChoice,
  SerializerInfo,
} from './artifacts/serializer.ts';
export type { ArtifactOptions, Artifacts, NamedArtifact, SaveOptions } from './attempts/artifact-input.ts';
export type { AttemptStatus, ReadRule } from './attempts/attempt-reader.ts';
export type { LogChoice, LogName } from './attempts/log-names.ts';
export type { ScrubbedLog } from './attempts/log-scrubbing.ts';
export type { LogData, LogFile, LogStreams } from './attempts/log-streams.ts';
export type { SaveLogsOptions } from './attempts/log-writer.ts';
export type { Metadata } from './attempts/metadata-parts.ts';
export { formatPathspec, type Pathspec, parsePathspec } from './attempts/pathspec.ts';
export type { RunCreated, RunDescription, RunFinished, RunOutcome } from './attempts/runs.ts';
export {
  autoVersion,
  type CodeOptions,
  type CodeVersion,
  type FreeVariable,
} from './cache/auto-version.ts';
export {
  type CacheKey,
  type CacheKeyParts,
  type CacheScope,
  cacheKey,
  type KeyParts,
  type TaskKeyParts,
} from './cache/cache-key.ts';
export type { EntryKey } from './cache/cache-names.ts';
export type { CacheEntry, CacheEntrySource, NewCacheEntry, SignatureFault } from './cache/entry.ts';
export type { CacheStatistics, ListEntriesOptions, ListedEntry } from './cache/entry-listing.ts';
export type { CacheHit, CacheMiss, CacheMissReason, EntryRule, SeenEntry } from './cache/entry-reader.ts';
export type { CacheStored, NotStoredReason } from './cache/entry-writer.ts';
export { explainKeys, type KeyDifference } from './cache/explain-keys.ts';
export type { SourceFunction } from './cache/function-source.ts';
export type { JsonSchema, TaskSchemas } from './cache/interface-digest.ts';
export { type DescribableSchema, jsonSchemasOf, type SchemaPair } from './cache/json-schemas.ts';
export type { KeyListing } from './cache/key-listing.ts';
export type { Lease } from './cache/lease.ts';
export type { Patience } from './cache/patience.ts';
export type { CacheSigningKey, CacheSigningKeys } from './cache/signing.ts';
export {
  type Acquired,
  type AcquireOptions,
  type LookupOptions,
  type PatientOptions,
  type StoreEntryOptions,
  TaskCache,
  type TaskCacheOptions,
} from './cache/task-cache.ts';
export type { TaskCacheFailure, TaskCacheOperation } from './cache/task-cache-failures.ts';
export type { JsonValue } from './codec/json-value.ts';
export type { Compression } from './codec/payload.ts';
export type { ByteCache } from './content/byte-cache.ts';
export type { CacheFailure, CacheOperation } from './content/cache-failures.ts';
export type {
  Blob,
  ContentStoreOptions,
  SaveBlobsOptions,
  SaveDataOptions,
  SavedBlob,
  SavedData,
} from './content/content-addressed-store.ts';
export { ContentAddressedStore } from './content/content-addressed-store.ts';
export type { ReadOptions } from './content/content-reader.ts';
export type { ContentRef } from './content/content-ref.ts';
export type { DamageMessage } from './content/damage.ts';
export type { ArtifactEntry, ArtifactTable, InlineValue } from './content/description.ts';
export { DiskCache, type DiskCacheOptions } from './content/disk-cache.ts';
export type { HeartbeatFailure } from './content/heartbeat.ts';
export { MemoryCache, type MemoryCacheOptions } from './content/memory-cache.ts';
export type { ContentKey } from './content/object-names.ts';
export type { ListedPlace, OpenPlace, PlaceSettings } from './content/places.ts';
export type { RawDataPathOptions } from './content/raw-data-path.ts';
export type { RecordedError } from './content/session-files.ts';
export type { SessionId } from './content/session-id.ts';
export type { ContentAddress, StoredContent } from './content/stored-content.ts';
export type { LeftBehind } from './content/unnamed-objects.ts';
export {
  ERROR_CODES,
  type ErrorDetails,
  isStowageError,
  StowageError,
  type StowageErrorCode,
} from './errors.ts';
export type { UnrecordedTask } from './flow/cached-task/attempt-recording.ts';
export type { CachedTask, CallArguments } from './flow/cached-task/cached-task.ts';
export type {
  CachedCallOptions,
  CachedTaskOptions,
  CacheMode,
  TaskRetry,
} from './flow/cached-task/cached-task-options.ts';
export type { MapOptions, MapOutcome, MapProgress } from './flow/cached-task/map-calls.ts';
export type { CallPlan } from './flow/cached-task/plan-calls.ts';
export type { CachedResult, CallMissReason, Provenance } from './flow/cached-task/result.ts';
export type { CachedTaskContext, CachedTaskFiles } from './flow/cached-task/task-context.ts';
export type { CachedTaskWarning } from './flow/cached-task/warnings.ts';
export type { Widened } from './flow/cached-task/widened.ts';
export { FlowDataStore } from './flow/flow-data-store.ts';
export type { CreateRunOptions, FlowDataStoreOptions, TaskSpec } from './flow/flow-options.ts';
export type { MergeOptions } from './flow/merge-artifacts.ts';
export type { OpenTaskDataStore } from './flow/open-task-data-store.ts';
export { ArtifactTooLarge, type RecordOptions } from './flow/record-view.ts';
export type { Run, RunInfo, RunSummary } from './flow/run.ts';
export type { RunFilter } from './flow/run-selection.ts';
export type { SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from './flow/standard-schema.ts';
export type { ArtifactInfo, TaskDataStore } from './flow/task-data-store.ts';
export type { PrefetchOptions, TaskDataStoreSet } from './flow/task-data-store-set.ts';
export type {
  GetNamedTasksOptions,
  GetTasksOptions,
  TaskRule,
  TaskSelection,
} from './flow/task-selection.ts';
export type { CopyCounts, CopyProblem, CopyProgress, CopyResult } from './maintenance/copy-report.ts';
export { type CopyOptions, copyStore } from './maintenance/copy-store.ts';
export type * from './storage/contract.ts';
export { CountStorage, type OperationCount, type StorageCounts } from './storage/count.ts';
export { StorageDecorator, type StorageOperation } from './storage/decorator.ts';
export { type Fault, type FaultPlan, FaultStorage } from './storage/fault.ts';
export { LimitStorage } from './storage/limit.ts';
export { LocalStorage, type LocalStorageOptions } from './storage/local.ts';
export { MemoryStorage } from './storage/memory.ts';
export type { NameEncoding } from './storage/names.ts';
export {
  type OpenStorageOptions,
  openStorage,
  registerStorage,
  type StorageFactory,
} from './storage/open.ts';
export { PrefixStorage } from './storage/prefix.ts';
export { type RetryOptions, RetryStorage } from './storage/retry.ts';
