import { shell } from '../codec/shell-command.ts';
import { invalidArgument, type StowageError } from '../errors.ts';
import type { TaskDataStore } from '../flow/task-data-store.ts';
import { formatBytes } from '../options/figures.ts';
import { DirectoryRef } from '../references/directory/directory-ref.ts';
import { FileRef } from '../references/file-ref.ts';
import { isBytes } from '../values/bytes-serializer.ts';
import { REFERENCE_TYPES } from '../values/reference.ts';
import { mediaTypeOf, SNIFFED_BYTES } from './media-type.ts';
import { artifactSource, type ByteSource, fileSource } from './previews/byte-source.ts';
import { MANY_NUMBERS, summedArray, summedBytes } from './previews/numbers.ts';
import type { Preview, PreviewChoice, PreviewOfKind } from './previews/shown.ts';
import { OF_ONE, Shower } from './previews/shown-value.ts';
import { rowsOfTabular, tablePage } from './previews/table-page.ts';
import { isShownReference, type Reference, referenceView } from './references.ts';
import type { StoreView } from './store-view.ts';
import { asTabular } from './values/table-view.ts';
import { isNumberArray, isScalar } from './values/value-kind.ts';

/** The values that may be loaded whole to show a part of them. */
export interface ValueBounds {
  /** Serialized; those of more bytes are not loaded. */
  maxBytes: number;
  /** Waits until there is room for one. Resolves to what gives it back. */
  take(bytes: number, signal: AbortSignal): Promise<() => void>;
}

const MAX_TEXT_BYTES = 150_000;
const MAX_JSON_FILE_BYTES = 4 * 1024 * 1024;
const MAX_FIRST_BYTES = 512;
/** Paths are long at times. */
const MAX_ENTRIES = 1000;

/**
 * Previews an artifact. What is shown was verified, and is bounded; no more is read than that takes, but for values of objects and lists, which
 * are loaded up to `values.maxBytes`.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`, what loading the artifact throws, and `INVALID_ARGUMENT` for an `entry` of what is no directory
 */
export async function previewArtifact(
  { signal }: Pick<StoreView, 'signal'>,
  task: TaskDataStore,
  name: string,
  choice: PreviewChoice,
  values: ValueBounds,
): Promise<Preview> {
  const info = task.info(name);
  const { type, encoding, bytes, key } = info;
  const head = { path: `${task.flowName}/${task.pathspec}`, name, type, bytes, key };
  const source = artifactSource(task, name);
  const isReference = encoding === 'msgpack' && REFERENCE_TYPES.has(type);
  if (choice.entry !== undefined && !isReference) throw noDirectory(name);
  if (encoding === 'string') return { ...head, ...(await textOf(source, name, signal)) };
  if (isBytes(info)) return { ...head, ...(await fileOf(source, choice, signal)) };
  if (encoding === 'typed-array')
    return { ...head, kind: 'numbers', numbers: await summedBytes(source, type, { signal }), isWhole: false };
  if (encoding === 'arrow') {
    const { arrowPage } = await import('./previews/arrow-page.ts');
    return { ...head, kind: 'table', ...tablePage(await arrowPage(source, choice, { signal }), choice) };
  }
  if (bytes > values.maxBytes) {
    const command = shell`stowage preview ${head.path} ${name} --max-bytes ${`${Math.ceil(bytes / 1e6)}MB`}`;
    const note = `It takes ${formatBytes(bytes)}; values beyond ${formatBytes(values.maxBytes)} are not loaded here to show a part of them. To see it: ${command}`;
    return { ...head, kind: 'unshown', note, isWhole: false };
  }
  const leave = await values.take(bytes, signal);
  try {
    const value = await task.get(name, { signal });
    if (isShownReference(value)) return { ...head, ...(await referenced(value, choice, signal)) };
    if (choice.entry !== undefined) throw noDirectory(name);
    return { ...head, ...shownValue(value, choice) };
  } finally {
    leave();
  }
}

/** The part of a preview that what is shown decides. */
type Shown = PreviewOfKind &
  Pick<Preview, 'isWhole'> &
  Partial<Pick<Preview, 'bytes' | 'mediaType' | 'reference' | 'entry'>>;

function shownValue(value: unknown, choice: PreviewChoice): Shown {
  if (isNumberArray(value) && value.length >= MANY_NUMBERS)
    return { kind: 'numbers', numbers: summedArray(value), isWhole: false };
  const tabular = asTabular(value);
  if (tabular) {
    // The others are not looked at: what a cell has of parts is shown as such.
    const [first = []] = tabular.rows();
    if (first.length > 0 && first.every(isScalar))
      return { kind: 'table', ...tablePage(rowsOfTabular(value, tabular, choice), choice) };
  }
  // One that UTF-8 cannot hold.
  if (typeof value === 'string')
    return { kind: 'text', text: value.slice(0, MAX_TEXT_BYTES), isWhole: value.length <= MAX_TEXT_BYTES };
  const shower = new Shower(OF_ONE);
  return { kind: 'json', value: shower.show(value), isWhole: shower.isWhole };
}

async function referenced(value: Reference, choice: PreviewChoice, signal: AbortSignal): Promise<Shown> {
  const reference = referenceView(value);
  if (value instanceof DirectoryRef) {
    if (choice.entry === undefined)
      return { reference, bytes: value.size, ...(await directoryOf(value, choice, signal)) };
    const file = await value.get(choice.entry, { signal });
    const shown = await fileOf(fileSource(file), choice, signal);
    return { reference, bytes: file.size, entry: choice.entry, ...shown };
  }
  if (choice.entry !== undefined) throw noDirectory(value.name);
  const file = value instanceof FileRef ? value : value.file;
  const { uri, size } = file;
  if (uri !== undefined || size === undefined)
    return { kind: 'elsewhere', reference, ...(size === undefined ? {} : { bytes: size }), isWhole: false };
  const shown = await fileOf(fileSource(file as FileRef & { size: number }), choice, signal);
  return { reference, bytes: size, ...shown };
}

async function directoryOf(
  directory: DirectoryRef,
  { offset, limit }: PreviewChoice,
  signal: AbortSignal,
): Promise<Shown> {
  const files = await directory.files({ signal });
  const shown = files.slice(offset, offset + Math.min(limit, MAX_ENTRIES));
  const entries = shown.map(({ path, size }) => ({ path, bytes: size }));
  const page = { entries, offset, total: files.length };
  return { kind: 'directory', directory: page, isWhole: entries.length === files.length };
}

/** What a file shows by its first bytes. */
async function fileOf(source: ByteSource, choice: PreviewChoice, signal: AbortSignal): Promise<Shown> {
  const { name, size } = source;
  const head = await source.read({ offset: 0, length: Math.min(size, SNIFFED_BYTES) }, { signal });
  const mediaType = mediaTypeOf(head, name, source.mediaType);
  const [kind] = mediaType.split('/');
  if (kind === 'image' || kind === 'audio' || kind === 'video') return { kind, mediaType, isWhole: true };
  if (mediaType === 'application/vnd.apache.parquet') {
    const { parquetPage } = await import('./previews/parquet-page.ts');
    const page = tablePage(await parquetPage(source, choice, { signal }), choice);
    return { kind: 'table', mediaType, ...page };
  }
  if (mediaType === 'application/json' && size <= MAX_JSON_FILE_BYTES) {
    const json = await jsonOf(source, signal);
    if (json) return { mediaType, ...json };
  }
  if (kind === 'text' || mediaType === 'application/json' || /xml$|yaml$/.test(mediaType))
    return {
      mediaType,
      ...(await textOf(source, mediaType === 'text/markdown' ? `${name}.md` : name, signal)),
    };
  const first = head.subarray(0, MAX_FIRST_BYTES);
  const base64 = Buffer.from(first.buffer, first.byteOffset, first.length).toString('base64');
  return { kind: 'bytes', mediaType, base64, isWhole: first.length === size };
}

/** A file that is called JSON may be none; it is text then. */
async function jsonOf(source: ByteSource, signal: AbortSignal): Promise<Shown | undefined> {
  const bytes = await source.read({ offset: 0, length: source.size }, { signal });
  const shower = new Shower(OF_ONE);
  try {
    const value = shower.show(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
    return { kind: 'json', value, isWhole: shower.isWhole };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

async function textOf(source: ByteSource, name: string, signal: AbortSignal): Promise<Shown> {
  const length = Math.min(source.size, MAX_TEXT_BYTES);
  const bytes = await source.read({ offset: 0, length }, { signal });
  const isWhole = source.size <= MAX_TEXT_BYTES;
  // Of what was cut, a part of a character at the end is left out.
  const text = new TextDecoder().decode(bytes, { stream: !isWhole });
  return { kind: /[._](?:md|markdown)$/i.test(name) ? 'markdown' : 'text', text, isWhole };
}

function noDirectory(name: string): StowageError {
  return invalidArgument(
    `${name} is no directory, so that no file of it can be named; leave the entry out.`,
    {
      artifact: name,
    },
  );
}
