import { meterOf, type ProgressMeter } from '../async/progress.ts';
import { checkRawDataPath } from '../content/places/raw-data-path.ts';
import type { StreamOptions } from '../content/writing/content-writer.ts';
import { ownObjectsOf } from '../content/writing/own-writer.ts';
import { StowageError, throwIfAborted } from '../errors.ts';
import { CHUNKED_FROM_BYTES } from '../format/content-names.ts';
import { refId } from '../format/content-ref.ts';
import type { ArtifactEntry, ArtifactTable } from '../format/description.ts';
import type { OwnObject } from '../format/own-values.ts';
import { referencesIn } from '../format/refs.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import { abortable, readHead } from '../streams/stream-head.ts';
import {
  ArtifactInputs,
  type ArtifactStreamOptions,
  type Artifacts,
  checkArtifacts,
  checkStream,
  inputsOf,
  isSequence,
  namesOf,
  type SaveOptions,
} from './artifact-input.ts';
import { ArtifactStaging, inlineBytesOf, type ValueSettings } from './artifact-staging.ts';
import type { AttemptView } from './attempt-view.ts';
import { InlineBudget } from './inline-value.ts';
import { artifactSubject, REST_OF_ITERABLE, type SaveCall } from './save-calls.ts';
import type { TableRow } from './stored-values.ts';
import { copyValues, type Storing } from './stored-values.ts';

const NOTHING: ReadonlySet<string> = new Set();

/** The artifacts that the description of an open attempt will name. They are staged first, and then committed. */
export class AttemptTable {
  readonly #settings: ValueSettings;
  readonly #budget: InlineBudget;
  /** Of the place that content goes to unless a call or an artifact says otherwise; without it the store itself. */
  readonly #address: string | undefined;
  readonly #rows = new Map<string, TableRow>();

  constructor(settings: ValueSettings, address: string | undefined) {
    this.#settings = settings;
    this.#budget = new InlineBudget(settings.maxInlineBytes);
    this.#address = address;
  }

  /** Tells of an artifact that was committed. */
  has(name: string): boolean {
    return this.#rows.has(name);
  }

  /**
   * Validates and serializes all values, then writes their content. A sequence is taken one value at a time, each
   * serialized and written before the next is asked for.
   */
  async stage(
    artifacts: Artifacts,
    session: Session,
    options: SaveOptions,
    call: SaveCall,
    meter?: ProgressMeter,
  ): Promise<TableRow[]> {
    checkArtifacts(artifacts);
    call.expect(isSequence(artifacts) ? [REST_OF_ITERABLE] : namesOf(artifacts).map(artifactSubject));
    const inputs = new ArtifactInputs(options, this.#address);
    throwIfAborted(options.signal);
    const { signal, onProgress } = options;
    const progress = meter ?? meterOf(onProgress, 'saveArtifacts');
    const staging = new ArtifactStaging(this.#settings, this.#budget, session, { signal }, progress);
    try {
      if (isSequence(artifacts)) {
        await staging.addEach(artifacts, inputs, call);
        inputs.checkAllUsed();
      } else {
        const batch = inputsOf(artifacts, inputs);
        inputs.checkAllUsed();
        await staging.addAll(batch);
      }
      call.ensureMayCommit();
      progress?.succeed();
      return staging.rows;
    } catch (error) {
      staging.release();
      throw error;
    } finally {
      progress?.stop();
    }
  }

  /** Stages bytes that come piece by piece, from `again` once more; few ones as if they had been in memory. */
  async stageStream(
    name: string,
    source: AsyncIterable<Uint8Array>,
    session: Session,
    options: ArtifactStreamOptions,
    call: SaveCall,
    again?: StreamOptions['again'],
  ): Promise<TableRow[]> {
    call.expect([artifactSubject(name)]);
    checkStream(name, source, options);
    const progress = meterOf(options.onProgress, 'saveArtifactStream');
    progress?.expect({ items: 1 });
    try {
      const rows = await this.#stagePieces(name, source, session, options, call, again, progress);
      call.ensureMayCommit();
      progress?.succeed();
      return rows;
    } finally {
      progress?.stop();
    }
  }

  async #stagePieces(
    name: string,
    source: AsyncIterable<Uint8Array>,
    session: Session,
    { compression, rawDataPath, signal }: ArtifactStreamOptions,
    call: SaveCall,
    again: StreamOptions['again'],
    progress: ProgressMeter | undefined,
  ): Promise<TableRow[]> {
    const pieces = whileOpen(abortable(source, { signal }), call);
    const { head, rest } = await readHead(pieces, CHUNKED_FROM_BYTES);
    const options = { compression, rawDataPath, signal };
    if (!rest) return this.stage({ [name]: head }, session, options, call, progress);
    const address = checkRawDataPath(rawDataPath) ?? this.#address;
    const place = await session.locate(address, { signal }).catch(async (error: unknown) => {
      await pieces.return(undefined); // nobody reads on, so that a file or socket would stay open
      throw error;
    });
    const readAgain = again && (() => whileOpen(again(), call));
    const storing = { again: readAgain, compression, place, signal, progress };
    const content = await session.putStream(rest, storing);
    const { key, bytes } = content;
    return [{ entry: { name, type: 'Uint8Array', encoding: 'bytes', key, bytes, content } }];
  }

  /** Names what was staged, but for names that a later call has taken. */
  commit(staged: Iterable<TableRow>, call: SaveCall): void {
    for (const row of staged) {
      const { name } = row.entry;
      const isTaken = call.take(artifactSubject(name));
      this.#budget.take(-inlineBytesOf(isTaken ? this.#rows.get(name) : row));
      if (isTaken) this.#rows.set(name, row);
    }
  }

  /** Names rows of another attempt, whose content and references this one's session relies on. */
  adopt(rows: readonly TableRow[], call: SaveCall): void {
    for (const row of rows) this.#budget.take(inlineBytesOf(row));
    this.commit(rows, call);
  }

  /**
   * Finds again what the rows rest on, for the session of another attempt, to which the values of `former` are copied. Takes out, and
   * names, rows that lack something.
   */
  async revalidate(former: AttemptView, session: Session, options: CallOptions): Promise<string[]> {
    const rows = [...this.#rows].filter(([, { entry }]) => entry.content);
    const missing = new Set((await session.relyOnRefs(referencesIn(this.#entries()), options)).map(refId));
    const contents = await session.rely(
      rows.map(([, { entry }]) => entry.content as StoredContent),
      options,
    );
    const own = [...this.#rows.values()].filter(({ entry }) => entry.own);
    const rowsOfFormer = own.map((row) => ({ origin: former, row }));
    const moved = await copyValues(rowsOfFormer, session, { ...this.storing, samePlace: true }, options);
    const lost: string[] = [];
    // Rows change together: a failure before this leaves each where its bytes are.
    rows.forEach(([name, { entry }], index) => {
      const content = contents[index];
      if (content) this.#rows.set(name, { entry: { ...entry, content } });
      else lost.push(name);
    });
    own.forEach(({ entry: { name } }, index) => {
      const row = moved[index];
      if (row && !(row instanceof StowageError)) this.#rows.set(name, row);
      else lost.push(name);
    });
    for (const { name, refs } of this.#entries())
      if (missing.size > 0 && refs?.some((ref) => missing.has(refId(ref)))) lost.push(name);
    for (const name of lost) this.#rows.delete(name);
    return [...new Set(lost)];
  }

  /** The table as a description holds it, but for what is `omitted`. */
  toTable(omitted: ReadonlySet<string> = NOTHING): ArtifactTable {
    return { artifacts: this.#entries().filter(({ name }) => !omitted.has(name)) };
  }

  #entries(): ArtifactEntry[] {
    return [...this.#rows.values()].map(({ entry }) => entry);
  }

  /** The attempt's own objects that hold values of its rows. */
  ownObjects(): OwnObject[] {
    return ownObjectsOf(this.#rows.values());
  }

  /** The destination of values that no call sends elsewhere. */
  get storing(): Storing {
    return { ownBytes: this.#settings.ownBytes, address: this.#address };
  }
}

/** A stream that ends with its attempt: nobody could name what comes later, of which there may be no end. */
export async function* whileOpen(
  source: AsyncIterable<Uint8Array>,
  call: SaveCall,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    call.ensureMayCommit();
    yield piece;
  }
}
