import { loadSources } from './sources.mjs';

const {
  digestHex,
  attemptSession,
  encodeDescription,
  encodeAttempt,
  encodeDone,
  SESSION_FILES,
  thisOwner,
  newSessionId,
  createRunRecord,
  finishRunRecord,
} = await loadSources(
  'digest/blake3.ts',
  'format/attempt-files.ts',
  'format/description.ts',
  'format/session-files.ts',
  'format/session-id.ts',
  'format/run-ends.ts',
  'format/run-records.ts',
);

export const FLOW = 'Bench';
/** The tasks of a run: each step reads the same number of the step before. */
const STEPS = ['prepare', 'fit', 'evaluate', 'report'];
const WIDTH = 250;
export const ATTEMPTS_OF_A_RUN = STEPS.length * WIDTH;
/** One attempt in so many failed. */
const FAILED_EVERY = 2_000;
const DAY_MS = 24 * 60 * 60_000;
const FIRST_DAY_MS = Date.parse('2020-01-01T00:00:00.000Z');

const INSERT = {
  sqlite: 'insert into stowage_objects (name, body, modified) values ($1, $2, $3)',
  postgres:
    'insert into stowage_objects (name, body, modified) select name, body, $3 from unnest($1::text[], $2::bytea[]) as given (name, body)',
};

/**
 * Fills a store in a database with runs of {@link ATTEMPTS_OF_A_RUN} tasks: of each an attempt of three records, with a small artifact, two
 * leaves of metadata, and what it read. Records are made by the encoders of the format and inserted by a transaction a run, since a
 * writer, which makes each record durable by itself, would take hours.
 */
export class IndexScaleStore {
  #database;
  #runs = 0;

  /** @param database - of a store that is there: `storage.database` */
  constructor(database) {
    this.#database = database;
  }

  /** Adds runs of about so many attempts together. */
  async add(attempts) {
    const runs = Math.max(1, Math.round(attempts / ATTEMPTS_OF_A_RUN));
    for (let run = 0; run < runs; run += 1) await this.#addRun(this.#runs++);
    return runs * ATTEMPTS_OF_A_RUN;
  }

  async #addRun(number) {
    const run = runName(number);
    const objects = [];
    const collected = {
      create: async (name, body) => objects.push({ name, body }) > 0,
    };
    const described = { tags: [tagOf(number)], parameters: { number }, parents: [] };
    await createRunRecord(collected, FLOW, run, described, {});
    for (const [at, step] of STEPS.entries())
      for (let task = 0; task < WIDTH; task += 1)
        objects.push(...attemptObjects({ number, run, at, step, task: String(task) }));
    await finishRunRecord(collected, FLOW, run, 'done', undefined, {});
    await this.#insert(objects);
  }

  async #insert(objects) {
    const { type } = this.#database;
    const now = Date.now();
    await this.#database.write(function* () {
      const text = INSERT[type];
      if (type === 'sqlite')
        for (const { name, body } of objects) yield { text, parameters: [name, body, now] };
      else
        yield {
          text,
          parameters: [objects.map(({ name }) => name), objects.map(({ body }) => Buffer.from(body)), now],
        };
    });
  }
}

export function runName(number) {
  return String(number).padStart(6, '0');
}

export function tagOf(number) {
  return `batch-${number}`;
}

/** The value of the artifact of an attempt, and so what its key is of. */
export function artifactKey(number, at, task) {
  return digestHex(Buffer.from(textOfModel(number, at, task)));
}

/** The time at which attempts of a run started: a run a day. */
export function startOf(number) {
  return new Date(FIRST_DAY_MS + (number % 2_000) * DAY_MS);
}

function textOfModel(number, at, task) {
  return `model ${number} ${at} ${task}`;
}

function attemptObjects({ number, run, at, step, task }) {
  const session = newSessionId();
  const startedAt = startOf(number).toISOString();
  const { base, subject } = attemptSession({ flow: FLOW, run, step, task }, 0);
  const value = textOfModel(number, at, task);
  const key = artifactKey(number, at, task);
  const index = number * ATTEMPTS_OF_A_RUN + at * WIDTH + Number(task);
  const failed = index % FAILED_EVERY === 0;
  const metadata = encodeDescription({
    session,
    subject,
    startedAt,
    table: {
      artifacts: [
        {
          name: 'model',
          type: 'string',
          encoding: 'string',
          key,
          bytes: value.length,
          inline: { json: value },
        },
      ],
    },
    metadata: { auc: (index % 1_009) / 1_009, host: `node-${index % 100}` },
    readFrom: at === 0 ? [] : [`${FLOW}/${run}/${STEPS[at - 1]}/${task}/0`],
  });
  const done = {
    outcome: failed ? 'failed' : 'done',
    session,
    closedAt: new Date(startOf(number).getTime() + 60_000).toISOString(),
    metadataDigest: digestHex(metadata),
    ...(failed ? { error: { name: 'Error', message: 'out of memory' } } : {}),
  };
  const attempt = { session, startedAt, owner: thisOwner(), pins: [] };
  return [
    { name: base + SESSION_FILES.attempt, body: encodeAttempt(attempt, subject) },
    { name: base + SESSION_FILES.metadata, body: metadata },
    { name: base + SESSION_FILES.done, body: encodeDone(done, subject) },
  ];
}
