import type { Progress, ProgressOptions } from '../../async/progress.ts';
import type { ArtifactInfo } from '../../flow/artifact-info.ts';
import type { TaskDataStore } from '../../flow/task-data-store.ts';
import { formatBytes } from '../../options/figures.ts';
import type { ReadableFile } from '../../references/readable-file.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { isBytes } from '../../values/bytes-serializer.ts';
import { REFERENCE_TYPES } from '../../values/reference.ts';
import { toTabular } from '../../views/values/tabular-value.ts';
import { CliError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import type { Sink } from '../ui/output.ts';
import { workOnBytes, workOnItems } from '../ui/progress-line.ts';
import { writeCsv } from './csv.ts';
import { ValueJson } from './value-json.ts';

/** The forms in which an artifact is written; `file` is what a reference stands for, and is asked for by no option. */
export type Form = 'bytes' | 'json' | 'csv' | 'text' | 'file';

/** The task whose artifacts are written, and the call of the command that ends the writing and tells how far it has come. */
export interface WriteContext<Task = Pick<TaskDataStore, 'info' | 'get' | 'streamArtifact'>> {
  task: Task;
  invocation: Pick<Invocation, 'signal' | 'progress'>;
}

/** The form of an artifact that nobody asked for another: bytes and strings lie in the store as they are, a file is what a reference names, the rest is shown as JSON. */
export function ownForm({ encoding, type }: Pick<ArtifactInfo, 'encoding' | 'type'>): Form {
  if (type === 'string') return 'text';
  if (encoding === 'msgpack' && REFERENCE_TYPES.has(type)) return 'file';
  return isBytes({ encoding, type }) ? 'bytes' : 'json';
}

/**
 * Writes an artifact in a form; bytes and text as a stream, whatever their length.
 *
 * @throws CliError `NO_SUCH_FORM` where it cannot take that form
 */
export async function writeArtifact(
  context: WriteContext,
  name: string,
  form: Form,
  sink: Sink,
): Promise<void> {
  if (form === 'bytes') return writeBytes(context, name, sink);
  if (form === 'text') return writeText(context, name, sink);
  const value = await context.task.get(name, loading(context.invocation, name));
  if (form === 'file') {
    const { fileOf } = await import('./referenced-file.ts');
    const file = fileOf(name, value);
    if (file) return writeFile(context, name, file, sink);
  }
  if (form === 'csv') return writeTable(context, name, value, sink);
  let written = 0;
  for (const piece of new ValueJson().pieces(value)) {
    await sink.write(piece);
    written += Buffer.byteLength(piece);
    context.invocation.progress(() => ({
      title: name,
      share: undefined,
      facts: [`wrote ${formatBytes(written)}`],
    }));
  }
  await sink.write('\n');
}

/** Options of loading an artifact for a command, which shows how far that is. */
function loading(invocation: WriteContext['invocation'], name: string): CallOptions & ProgressOptions {
  const onProgress = (at: Progress): void => invocation.progress(() => workOnBytes(name, at));
  return { signal: invocation.signal, onProgress };
}

async function writeBytes(
  { task, invocation }: WriteContext,
  name: string,
  sink: Sink,
  check: (piece: Uint8Array) => void = () => {},
): Promise<void> {
  for await (const piece of task.streamArtifact(name, loading(invocation, name))) {
    check(piece);
    await sink.write(piece);
  }
}

/** The bytes of a file that an artifact refers to, piece by piece. */
async function writeFile(
  { invocation }: WriteContext,
  name: string,
  file: ReadableFile,
  sink: Sink,
  check: (piece: Uint8Array) => void = () => {},
): Promise<void> {
  for await (const piece of file.open(loading(invocation, name))) {
    check(piece);
    await sink.write(piece);
  }
}

/** Text is UTF-8; bytes may be as well. */
async function writeText(context: WriteContext, name: string, sink: Sink): Promise<void> {
  const info = context.task.info(name);
  if (info.encoding === 'string') return writeBytes(context, name, sink);
  if (ownForm(info) === 'bytes') {
    const utf8 = new Utf8Check(name);
    await writeBytes(context, name, sink, (piece) => utf8.push(piece));
    return utf8.end();
  }
  const value = await context.task.get(name, loading(context.invocation, name));
  const { fileOf } = await import('./referenced-file.ts');
  const file = ownForm(info) === 'file' ? fileOf(name, value) : undefined;
  if (file) {
    const utf8 = new Utf8Check(name);
    await writeFile(context, name, file, sink, (piece) => utf8.push(piece));
    return utf8.end();
  }
  if (typeof value !== 'string') throw noText(name, `a value of type ${info.type}`, 'json');
  await sink.write(value); // one that UTF-8 cannot hold
}

async function writeTable(
  { invocation }: WriteContext,
  name: string,
  value: unknown,
  sink: Sink,
): Promise<void> {
  const table = toTabular(value);
  if (typeof table === 'string') throw noTable(name, table);
  const onRow = (rows: number): void =>
    invocation.progress(() => workOnItems(name, rows, table.rowCount, 'rows'));
  await writeCsv(table, sink, { signal: invocation.signal, onRow });
}

/** Ends with `NO_SUCH_FORM` at the first piece that is not UTF-8. */
class Utf8Check {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  push(piece: Uint8Array): void {
    this.#decode(piece, true);
  }

  end(): void {
    this.#decode(new Uint8Array(0), false);
  }

  #decode(piece: Uint8Array, stream: boolean): void {
    try {
      this.#decoder.decode(piece, { stream });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw noText(this.#name, 'bytes that are not UTF-8', 'bytes');
    }
  }
}

function noText(name: string, what: string, other: Form): CliError {
  const message = `${name} is not text but ${what}. Write it as --format ${other}.`;
  return new CliError('NO_SUCH_FORM', message, {
    details: { artifact: name, format: 'text', forms: [other] },
  });
}

function noTable(name: string, what: string): CliError {
  const other = what === 'bytes' || what === 'text' ? what : 'json';
  const tables =
    'lists of objects or of lists, typed arrays, columns of equal length by name, and Arrow tables';
  return new CliError(
    'NO_SUCH_FORM',
    `${name} is not a table but ${what}. Tables are ${tables}. Write it as --format ${other}.`,
    { details: { artifact: name, format: 'csv', forms: [other] } },
  );
}
