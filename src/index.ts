/// <reference types="node" preserve="true" />
export type { Deadline } from './async/deadline.ts';
export type { Progress, ProgressOptions } from './async/progress.ts';
export type {
  ArtifactOptions,
  ArtifactStreamOptions,
  Artifacts,
  NamedArtifact,
  SaveOptions,
} from './attempts/artifact-input.ts';
export type { AttemptStatus, ReadRule } from './attempts/attempt-reader.ts';
export type { Metadata } from './attempts/metadata-parts.ts';
export {
  autoVersion,
  type CodeOptions,
  type CodeVersion,
  type FreeVariable,
} from './cache/auto-version.ts';
export { type CacheKeyParts, cacheKey, type TaskKeyParts } from './cache/cache-key.ts';
export type { CacheStatistics, ListEntriesOptions, ListedEntry } from './cache/entry-listing.ts';
export type { CacheHit, CacheMiss, CacheMissReason, EntryRule, SeenEntry } from './cache/entry-reader.ts';
export type { CacheStored, NotStoredReason } from './cache/entry-writer.ts';
export { explainKeys, type KeyDifference } from './cache/explain-keys.ts';
export type { SourceFunction } from './cache/function-source.ts';
export type { JsonSchema, TaskSchemas } from './cache/interface-digest.ts';
export { type DescribableSchema, jsonSchemasOf, type SchemaPair } from './cache/json-schemas.ts';
export type { KeyListing } from './cache/key-listing.ts';
export type { CacheKey, CacheScope, KeyParts } from './cache/key-parts.ts';
export type { Lease } from './cache/lease.ts';
export type { CircularWait } from './cache/lease-circle.ts';
export {
  type Acquired,
  type AcquireOptions,
  type DeadlineOptions,
  type LookupOptions,
  type StoreEntryOptions,
  TaskCache,
  type TaskCacheOptions,
} from './cache/task-cache.ts';
export type { TaskCacheFailure, TaskCacheOperation } from './cache/task-cache-failures.ts';
export type { CachedTask, CallArguments, Widened } from './cached-tasks/cached-task.ts';
export type { CallPlan, MapLabel, MapOptions, MapOutcome, MapProgress } from './cached-tasks/map-calls.ts';
export type {
  CachedCallOptions,
  CachedTaskContext,
  CachedTaskFiles,
  CachedTaskOptions,
  CacheMode,
  TaskRetry,
} from './cached-tasks/options.ts';
export type { UnrecordedTask } from './cached-tasks/record.ts';
export type { CachedResult, CallMissReason, Provenance } from './cached-tasks/result.ts';
export type { CachedTaskWarning } from './cached-tasks/warnings.ts';
export type { Compression } from './codec/payload.ts';
export type { ByteCache, CacheFailure, CacheOperation } from './content/caches/byte-cache.ts';
export { DiskCache, type DiskCacheOptions } from './content/caches/disk-cache.ts';
export { MemoryCache, type MemoryCacheOptions } from './content/caches/memory-cache.ts';
export type { ContentStore, ContentStoreOptions } from './content/content-store.ts';
export type { DamageMessage } from './content/damage.ts';
export type { ListedPlace, OpenPlace, PlaceSettings } from './content/places/places.ts';
export type { RawDataPathOptions } from './content/places/raw-data-path.ts';
export type { ReadOptions } from './content/reading/content-reader.ts';
export type { LeftBehind } from './content/writing/unnamed-objects.ts';
export type {
  Blob,
  SaveBlobsOptions,
  SaveDataOptions,
  SavedBlob,
  SavedData,
} from './content-addressed-store.ts';
export { ContentAddressedStore } from './content-addressed-store.ts';
export {
  ERROR_CODES,
  type ErrorDetails,
  isStowageError,
  StowageError,
  type StowageErrorCode,
} from './errors.ts';
export type { ArtifactInfo } from './flow/artifact-info.ts';
export type { LeftOutReason, LeftOutTask, OpenedTasks } from './flow/left-out.ts';
export type { MergeOptions } from './flow/merge-artifacts.ts';
export type { OpenTaskDataStore } from './flow/open-task-data-store.ts';
export { ArtifactTooLarge, type RecordOptions } from './flow/record-view.ts';
export type { RunTaskOptions } from './flow/resumed-tasks.ts';
export type { PinOptions, Run, RunInfo, RunSummary } from './flow/run.ts';
export type { RunCodeOptions } from './flow/run-code.ts';
export type { RunFilter } from './flow/run-selection.ts';
export type { CreateRunOptions, TaskSpec } from './flow/run-writer.ts';
export type { SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from './flow/standard-schema.ts';
export type { TaskDataStore } from './flow/task-data-store.ts';
export type { PrefetchOptions, TaskDataStoreSet } from './flow/task-data-store-set.ts';
export type {
  GetNamedTasksOptions,
  GetTasksOptions,
  TaskRule,
  TaskSelection,
} from './flow/task-selection.ts';
export { FlowDataStore } from './flow-data-store.ts';
export type { FlowDataStoreOptions } from './flow-options.ts';
export type { CacheEntry, CacheEntrySource, NewCacheEntry, SignatureFault } from './format/cache-entry.ts';
export type { EntryKey } from './format/cache-names.ts';
export type { ContentKey } from './format/content-names.ts';
export type { ContentRef } from './format/content-ref.ts';
export type { ArtifactEntry, ArtifactTable, InlineValue } from './format/description.ts';
export type { ObjectAt } from './format/erasure-records.ts';
export type { JsonValue } from './format/json-value.ts';
export type { LogChoice, LogName } from './format/log-names.ts';
export type { OwnValue } from './format/own-values.ts';
export { formatPathspec, type Pathspec, parsePathspec } from './format/pathspec.ts';
export type { RunEnd, RunFinished, RunOutcome } from './format/run-ends.ts';
export type { RunPin } from './format/run-pins.ts';
export type { RunCode, RunCreated, RunDescription } from './format/run-records.ts';
export type { Owner, RecordedError } from './format/session-files.ts';
export type { SessionId } from './format/session-id.ts';
export type { CacheSigningKey, CacheSigningKeys } from './format/signing.ts';
export type { ContentAddress, StoredContent } from './format/stored-content.ts';
export type { ScrubbedLog } from './logs/log-scrubbing.ts';
export type { LogData, LogFile, LogStreams } from './logs/log-streams.ts';
export type { SaveLogsOptions } from './logs/log-writer.ts';
export type {
  CollectStoreOptions,
  CollectStoreProgress,
  CollectStoreResult,
  CollectStoreStep,
  UnfinishedResult,
} from './maintenance/collect-store.ts';
export type { CollectionStep, RewriteOptions } from './maintenance/collection/collect-garbage.ts';
export type { CollectionResult, RewrittenPacks } from './maintenance/collection/collection-result.ts';
export type { Unconfirmed, Undeleted } from './maintenance/collection/deletion.ts';
export type { SkippedPlace } from './maintenance/collection/places.ts';
export type { CopyCounts, CopyProblem, CopyProgress, CopyResult } from './maintenance/copy-report.ts';
export type { CopyOptions } from './maintenance/copy-store.ts';
export type {
  EraseOptions,
  ErasingOptions,
  ErasureProgress,
} from './maintenance/erasure/erase-from-store.ts';
export type { ErasureStep } from './maintenance/erasure/erasure-context.ts';
export type {
  ContentToErase,
  ErasureHolder,
  ErasureResult,
  WaitedFor,
} from './maintenance/erasure/erasure-report.ts';
export {
  type CheckOptions,
  type CheckProgress,
  type CheckSummary,
  checkStore,
  type StoreCheck,
} from './maintenance/fsck/check-store.ts';
export type { Concern, Finding, Layer, Problem, Remedy, Severity } from './maintenance/fsck/finding.ts';
export type {
  LeftStep,
  LostStep,
  MendedStep,
  RepairStep,
} from './maintenance/fsck/repair/repair-steps.ts';
export { type RepairOptions, repairStore } from './maintenance/fsck/repair/repair-store.ts';
export type { GivenStore, MaintenanceOptions } from './maintenance/opened-store.ts';
export type {
  CacheRules,
  RetentionPolicy,
  RunLimits,
  RunRules,
  RunStatus,
} from './maintenance/retention/policy.ts';
export type {
  ApplyRetentionOptions,
  KeptRuns,
  PlannedRun,
  PlanRetentionOptions,
  RemoveOptions,
  RetentionAccount,
  RetentionPlan,
  RetentionProblem,
  RetentionProgress,
  RetentionResult,
  RetentionWarning,
  RunReason,
} from './maintenance/retention/retention-plan.ts';
export type { SavePolicyOptions, StoredPolicy } from './maintenance/stored-policy.ts';
export {
  applyRetention,
  collectStore,
  continueErasures,
  copyStore,
  eraseFromStore,
  planRetention,
  readRetentionPolicy,
  removeFromStore,
  saveRetentionPolicy,
} from './maintenance.ts';
export type { Age, Size } from './options/measures.ts';
export type { ColumnArray } from './parquet/frame-arrays.ts';
export type {
  ColumnSpec,
  FrameColumn,
  FrameColumnType,
  FrameSpec,
  PlainColumnType,
  TimeUnit,
} from './parquet/frame-columns.ts';
export type { FrameRow } from './parquet/row-values.ts';
export type {
  ColumnStatistics,
  FilterConditions,
  FilterValue,
  FrameFilter,
  ScanOptions,
} from './parquet/scan-options.ts';
export type { PublishOptions } from './published/publish-options.ts';
export type { PublishedVersion, PublishedVersionJson } from './published/published-version.ts';
export type { PublishedFilter, PublishedSummary } from './published/published-versions.ts';
export { DataFrameRef } from './references/data-frame-ref.ts';
export type { Directories, SaveDirectoryOptions } from './references/directories.ts';
export type { DirectoryFile } from './references/directory/directory-file.ts';
export { DirectoryRef, type WalkOptions } from './references/directory/directory-ref.ts';
export type { DownloadDirectoryOptions } from './references/directory/download-directory.ts';
export type { TreeOptions } from './references/directory/walk-tree.ts';
export type { DownloadOptions } from './references/download.ts';
export { FileRef } from './references/file-ref.ts';
export type { FileReadOptions, SeenFile } from './references/file-source.ts';
export type { FileWriter } from './references/file-writer.ts';
export type { FileData, Files, ReferenceOptions, SaveFileOptions } from './references/files.ts';
export type {
  Frames,
  ReferenceFrameOptions,
  SaveFrameOptions,
  SaveRowsOptions,
} from './references/frames.ts';
export type { GivenDigest } from './references/given-digest.ts';
export type { LoadFileOptions, OpenFileOptions, ReadableFile } from './references/readable-file.ts';
export {
  dataFrameRef,
  directoryRef,
  fileRef,
  type ReferenceSchema,
} from './references/schemas.ts';
export type { ReportFailure } from './reports/attempt-reports.ts';
export type { ReportImageOptions, ReportImageType } from './reports/image.ts';
export type { Plot, PlotNumbers, PlotSeries } from './reports/plot.ts';
export type { Report, ReportHtmlOptions, ReportOptions } from './reports/report.ts';
export type { ReportInfo } from './reports/report-reader.ts';
export type { ReportTableOptions } from './reports/table.ts';
export type { HeartbeatFailure } from './sessions/heartbeat.ts';
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
export { RetryStorage } from './storage/retry.ts';
export type { RetryOptions } from './storage/retry-policy.ts';
export type { CacheFigures } from './store-index/cache-figures.ts';
export type { CaughtUp } from './store-index/catch-up.ts';
export type { FindOptions, FoundArtifact, FoundAttempt } from './store-index/find.ts';
export type { FindConditions, FoundStatus, MetadataComparison } from './store-index/find-conditions.ts';
export type { LineageLink, LineageOptions, LineageUse } from './store-index/lineage.ts';
export type { QueryOptions, QueryRow, QueryValue } from './store-index/query.ts';
export type { RunFigures } from './store-index/run-figures.ts';
export {
  type CatchUpOptions,
  type IndexStatus,
  StoreIndex,
  type StoreIndexOptions,
} from './store-index/store-index.ts';
export type { Usage, UsageOptions } from './store-index/usage.ts';
export type { CheckpointNotLoaded, Checkpoints } from './trace/checkpoints.ts';
export type { TraceNotReplayed } from './trace/trace-records.ts';
export type { Traced, TracedResult } from './trace/traces.ts';
export { CACHE_DIGEST, type CacheDigest } from './values/cache-digest.ts';
export type { ClassTransformer } from './values/class-transformers.ts';
export type { ReferenceReader } from './values/reference.ts';
export {
  type SerializeOptions,
  SerializerRegistry,
  type SerializerRegistryOptions,
} from './values/registry.ts';
export type {
  ArtifactEncoding,
  DeserializeContext,
  SerializeContext,
  SerializedArtifact,
  SerializedValue,
  Serializer,
  SerializerChoice,
  SerializerInfo,
} from './values/serializer.ts';
