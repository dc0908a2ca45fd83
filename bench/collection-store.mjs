import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadSources } from './sources.mjs';

const {
  sealEnvelope,
  digestBytes,
  digestHex,
  attemptSession,
  copyName,
  packName,
  encodeDescription,
  encodeManifest,
  groupRoot,
  manifestRoot,
  encodeAttempt,
  encodeDone,
  SESSION_FILES,
  thisOwner,
  newSessionId,
  encodeStoreIdentity,
} = await loadSources(
  'codec/envelope.ts',
  'digest/blake3.ts',
  'format/attempt-files.ts',
  'format/content-names.ts',
  'format/description.ts',
  'format/manifest.ts',
  'format/session-files.ts',
  'format/session-id.ts',
  'format/store-record.ts',
);

const FLOW = 'Bench';
const TASKS = 100;
/** One task in so many has a large content beside its small one. */
const LARGE_EVERY = 10;
const TIME = '2026-01-01T00:00:00.000Z';
const CHUNKER = 'gear-1';

/** Of each task an attempt of three records and a small content, of every tenth a manifest and a pack of one chunk. */
export const OBJECTS_OF_A_RUN = 4 * TASKS + (2 * TASKS) / LARGE_EVERY;
export const CONTENTS_OF_A_RUN = TASKS + TASKS / LARGE_EVERY;

/**
 * A store in a folder that holds about so many objects, written by the encoders of the format rather than by a writer, which would take
 * hours. Contents are small, since collections read none. Of one run in ten everything was given up.
 */
export class CollectionStore {
  #root;
  #runs = 0;
  #contents = 0;

  constructor(root) {
    this.#root = root;
    this.#write('stowage.json', encodeStoreIdentity({ storeId: newSessionId(), names: 'exact' }, TIME));
  }

  /** Adds runs of about so many objects. */
  add(objects) {
    const runs = Math.max(1, Math.round(objects / OBJECTS_OF_A_RUN));
    for (let run = 0; run < runs; run++) this.#addRun(this.#runs++);
    return runs;
  }

  /** Gives up a run, as retention does. */
  giveUp(run) {
    for (let task = 0; task < TASKS; task++) {
      const { base } = attemptSession(pathOf(run, task), 0);
      this.#write(base + SESSION_FILES.deleted, '');
      rmSync(join(this.#root, base + SESSION_FILES.metadata));
    }
  }

  #addRun(run) {
    for (let task = 0; task < TASKS; task++) {
      const session = newSessionId();
      const artifacts = [this.#small(session)];
      if (task % LARGE_EVERY === 0) artifacts.push(this.#large(session));
      const { base, subject } = attemptSession(pathOf(run, task), 0);
      const description = {
        session,
        subject,
        startedAt: TIME,
        table: { artifacts },
        metadata: {},
        readFrom: [],
      };
      const metadata = encodeDescription(description);
      const done = { outcome: 'done', session, closedAt: TIME, metadataDigest: digestHex(metadata) };
      const attempt = { session, startedAt: TIME, owner: thisOwner(), pins: [] };
      this.#write(base + SESSION_FILES.attempt, encodeAttempt(attempt, subject));
      this.#write(base + SESSION_FILES.metadata, metadata);
      this.#write(base + SESSION_FILES.done, encodeDone(done, subject));
    }
    if (run % 10 === 0) this.giveUp(run);
  }

  #small(session) {
    const bytes = this.#nextContent();
    const key = digestHex(bytes);
    const sealed = sealEnvelope('blob', bytes, { compression: 'none' });
    const copy = copyName('data', key, session, 0, sealed.length);
    this.#write(copy, sealed);
    return rowOf('small', { key, copy, bytes: bytes.length, storedBytes: sealed.length });
  }

  #large(session) {
    const bytes = this.#nextContent();
    const key = digestHex(bytes);
    const chunk = sealEnvelope('chunk', bytes, { compression: 'none' });
    const pack = { name: packName(session, 1), bytes: chunk.length };
    this.#write(pack.name, chunk);
    const columns = {
      digests: digestBytes(bytes),
      lengths: Uint32Array.of(bytes.length),
      packs: Uint32Array.of(0),
      offsets: Uint32Array.of(0),
      storedBytes: Uint32Array.of(chunk.length),
    };
    const root = groupRoot(columns.digests, columns.lengths);
    const group = { chunks: 1, bytes: bytes.length, root, columns, at: undefined };
    const manifest = {
      key,
      chunker: CHUNKER,
      bytes: bytes.length,
      root: manifestRoot(CHUNKER, [group]),
      storedBytes: chunk.length,
      packs: [pack],
      groups: [group],
    };
    const sealed = sealEnvelope('manifest', encodeManifest(manifest), { compression: 'none' });
    const copy = copyName('manifests', key, session, 2, sealed.length);
    this.#write(copy, sealed);
    const stored = { key, copy, bytes: bytes.length, storedBytes: sealed.length + chunk.length };
    return rowOf('large', { ...stored, root: manifest.root });
  }

  #nextContent() {
    return Buffer.from(
      `content ${this.#contents++} of a store that is to be collected, and as long as all others`,
    );
  }

  #write(name, body) {
    const path = join(this.#root, name);
    try {
      writeFileSync(path, body);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, body);
    }
  }
}

function pathOf(run, task) {
  return { flow: FLOW, run: String(run).padStart(6, '0'), step: 'fit', task: String(task) };
}

function rowOf(name, content) {
  const { key, bytes } = content;
  return { name, type: 'Uint8Array', encoding: 'bytes', key, bytes, content };
}
