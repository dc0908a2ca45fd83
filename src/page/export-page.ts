import { readFile } from 'node:fs/promises';
import { mapBounded } from '../async/bounded-work.ts';
import { StowageError, type StowageErrorCode, throwIfAborted } from '../errors.ts';
import { formatBytes } from '../options/figures.ts';
import type { AttemptSummary } from '../views/attempts.ts';
import type { Preview } from '../views/previews/shown.ts';
import type { BriefRun } from '../views/run-brief.ts';
import type { RunView } from '../views/runs.ts';
import type { ShownTask } from '../views/shown-task.ts';
import { type Answer, type Asked, addressOf, answerJson, type Failure } from './asked.ts';
import {
  answerFile,
  answerScript,
  contentQuestion,
  EXPORTED_FILES,
  EXPORTED_ROWS,
  markScript,
  NOT_EXPORTED,
  reportQuestion,
} from './exported-answers.ts';
import type { AskedAttempt, PageHost } from './page-host.ts';
import { argvOf, QUESTIONS } from './questions.ts';
import { PAGE_ASSETS } from './server.ts';
import {
  filesFrom,
  lastLines,
  logTail,
  PAGE_ROWS,
  type Place,
  pathsOfReads,
  previewed,
  readReads,
  readRows,
  shown,
  stepsOf,
  tasksFrom,
} from './view-questions.ts';

/** The folder that an export is written to. Paths are below it. */
export interface ExportFolder {
  /** Writes a file that is not there yet. */
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** Writes behind what the file has, and makes it where it is not there yet. */
  append(path: string, text: string): Promise<void>;
}

export interface ExportOptions {
  /** The runs, newest first. */
  runs: readonly RunView[];
  /** Of each run the pages of so many tasks at most, those first that are not done. */
  tasksOfRun: number;
  signal: AbortSignal;
  /** The folder of the page's own files. Default: where they are built. */
  assets?: URL;
  /** Is told how many tasks are written, of how many. */
  onProgress?: (done: number, total: number) => void;
}

/** What came of an export. */
export interface Exported {
  /** Tasks that have a page in it. */
  tasks: number;
  /** Tasks that are listed with their runs, and have none. */
  tasksLeftOut: number;
  /** The number of answers that are, or have, an error, which the page tells. */
  errors: number;
  /** The first of them that tells of damage. */
  damage: Failure | undefined;
}

/** Nothing is fetched, and scripts and styles are files; browsers differ in whether a file is of the origin of another one beside it. */
const POLICY =
  "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src data:; media-src data:; frame-src 'self' file:; base-uri 'none'; form-action 'none'";
const CHARSET = '<meta charset="utf-8">';
const HEAD = `${CHARSET}
    <meta http-equiv="Content-Security-Policy" content="${POLICY}">
    <meta name="referrer" content="no-referrer">
    <script defer src="export.js"></script>`;

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** Logs of a run are a few thousand lines on the page. */
const MAX_LOG_BYTES = 4 * 1024 * 1024;
/** What is shown by its bytes, an image or a film, is left out where it takes more. */
const MAX_CONTENT_BYTES = 4 * 1024 * 1024;
/** Of an attempt with more artifacts the first have previews. */
const MAX_PREVIEWS = 200;
const CONCURRENT_TASKS = 8;

/** The store as a whole, or its storage, does not answer: what is missing then says nothing of the runs. */
const OF_THE_STORE = /^(?:STORAGE_|STORE_|NO_SUCH_(?:STORE|BUCKET)$|NOT_A_STORE$|ABORTED$)/;

/**
 * Writes the page of some runs, with the answers to what it asks about them, into a folder that a browser opens without a server.
 *
 * @throws StowageError `ABORTED`, and what tells that the store as a whole does not answer; what the folder throws
 */
export async function exportPage(
  host: PageHost,
  folder: ExportFolder,
  options: ExportOptions,
): Promise<Exported> {
  const { runs, tasksOfRun, assets = PAGE_ASSETS } = options;
  const [html, script, style] = await Promise.all(
    ['index.html', 'page.js', 'page.css'].map((file) => readFile(new URL(file, assets))),
  );
  await folder.write('page.js', script as Uint8Array);
  await folder.write('page.css', style as Uint8Array);
  await folder.write('index.html', String(html).replace(CHARSET, HEAD));
  const limit = Number.isFinite(tasksOfRun) ? tasksOfRun : null;
  const mark = { at: new Date().toISOString(), runs: runs.length, tasksOfRun: limit };
  await folder.write('export.js', markScript(mark));
  const writer = new AnswerWriter(host, folder, options.signal);
  return writeRuns(writer, options);
}

/** A task that gets a page. */
type ChosenTask = Pick<AskedAttempt, 'flow' | 'run' | 'step' | 'task'>;

async function writeRuns(
  writer: AnswerWriter,
  { runs, tasksOfRun, onProgress }: ExportOptions,
): Promise<Exported> {
  await writer.put({ command: 'runs' }, { result: JSON.stringify({ total: runs.length, unread: 0, runs }) });
  const chosen: ChosenTask[] = [];
  let tasksLeftOut = 0;
  for (const run of runs) {
    const { tasks, total } = await writeRun(writer, run);
    const withPage = tasks.slice(0, tasksOfRun);
    for (const task of withPage) chosen.push(task);
    tasksLeftOut += total - withPage.length;
  }
  let done = 0;
  await mapBounded(chosen, CONCURRENT_TASKS, async (task) => {
    onProgress?.(done, chosen.length);
    await writeTask(writer, task);
    done += 1;
  });
  const { errors, damage } = writer;
  return { tasks: chosen.length, tasksLeftOut, errors, damage };
}

/** Writes what the view of a run asks. Resolves to its tasks, those first that are not done, and how many it has. */
async function writeRun(
  writer: AnswerWriter,
  { flow, run }: RunView,
): Promise<{ tasks: ChosenTask[]; total: number }> {
  const path = `${flow}/${run}`;
  const steps = new Set<string>();
  let total = 0;
  const all: (ChosenTask & { isDone: boolean })[] = [];
  let next: number | undefined = 0;
  while (next !== undefined) {
    const { result }: Answer<BriefRun> = await writer.ask(tasksFrom(path, next));
    total = result?.total ?? total;
    for (const { step, tasks } of result?.steps ?? []) {
      steps.add(step);
      for (const { task, attempts } of tasks)
        all.push({ flow, run, step, task, isDone: attempts.at(-1)?.status === 'done' });
    }
    next = result?.next;
  }
  await writer.ask(stepsOf(path));
  const names = [...steps];
  for (const read of pathsOfReads(path, { total, steps: names }, names))
    await readReads((asked) => writer.ask<BriefRun>(asked), read);
  for (const logged of [path, ...names.map((step) => `${path}/${step}`)])
    await writer.ask(lastLines(logged), MAX_LOG_BYTES);
  return {
    tasks: [...all.filter(({ isDone }) => !isDone), ...all.filter(({ isDone }) => isDone)],
    total,
  };
}

/** Writes what the view of a task asks, and those of its artifacts, of each attempt. */
async function writeTask(writer: AnswerWriter, { flow, run, step, task }: ChosenTask): Promise<void> {
  const path = [flow, run, step, task].join('/');
  const { text, result: latest } = await writer.ask<ShownTask>(shown(path));
  for (const { attempt } of latest?.attempts ?? []) {
    const asked = shown(`${path}/${attempt}`);
    const isSame = attempt === latest?.attempt;
    if (isSame) await writer.put(asked, text);
    const result = isSame ? latest : (await writer.ask<ShownTask>(asked)).result;
    if (result) await writeAttempt(writer, { flow, run, step, task, attempt }, result);
  }
}

async function writeAttempt(writer: AnswerWriter, path: AskedAttempt, shown: ShownTask): Promise<void> {
  const { flow, run, step, task, attempt } = path;
  const pathspec = [flow, run, step, task, attempt].join('/');
  for (const log of shown.logs) await writer.ask(logTail(pathspec, log));
  for (const { name } of shown.reports) await writer.report(pathspec, path, name);
  const { artifacts = [], purged }: Partial<AttemptSummary> =
    shown.attempts.find((one) => one.attempt === attempt) ?? {};
  if (purged) return;
  for (const { name } of artifacts.slice(0, MAX_PREVIEWS))
    await writePreview(writer, path, { pathspec, artifact: name });
}

async function writePreview(writer: AnswerWriter, path: AskedAttempt, place: Place): Promise<void> {
  const { result } = await writer.ask<Preview>(previewed(place));
  switch (result?.kind) {
    case 'image':
    case 'audio':
    case 'video':
      return writer.content(path, place);
    case 'table': {
      const { total, rows } = result.table;
      const inExport = rows.length === total ? 0 : Math.min(total, EXPORTED_ROWS);
      for (let page = 0; page * PAGE_ROWS < inExport; page++)
        await readRows((asked) => writer.ask<Preview>(asked), place, { page, total });
      return;
    }
    case 'directory': {
      const { result: first } = await writer.ask<Preview>(filesFrom(place, 0));
      const entries = first?.kind === 'directory' ? first.directory.entries : [];
      for (const { path: entry } of entries.slice(0, EXPORTED_FILES))
        await writePreview(writer, path, { ...place, entry });
    }
  }
}

/** An answer, read, with the text that it was written as. */
interface Written<T> extends Answer<T> {
  text: Answer<string>;
}

/** Asks, and writes the answers. */
class AnswerWriter {
  readonly #host: PageHost;
  readonly #folder: ExportFolder;
  readonly #signal: AbortSignal;
  #reports = 0;
  errors = 0;
  damage: Failure | undefined;

  constructor(host: PageHost, folder: ExportFolder, signal: AbortSignal) {
    this.#host = host;
    this.#folder = folder;
    this.#signal = signal;
  }

  /** Asks as the page would, and writes the answer. */
  async ask<T>(asked: Asked, maxBytes: number = MAX_ANSWER_BYTES): Promise<Written<T>> {
    const query = new URLSearchParams(addressOf(asked).split('?')[1]);
    const argv = argvOf(QUESTIONS, asked.command, query);
    const text = await this.#host.answer(argv, maxBytes, this.#signal);
    throwIfAborted(this.#signal);
    await this.put(asked, text);
    const { result, error } = text;
    return {
      ...(result === undefined ? {} : { result: JSON.parse(result) as T }),
      ...(error ? { error } : {}),
      text,
    };
  }

  /** Writes an answer, whose result is JSON already. */
  async put(asked: Asked, answer: Answer<string>): Promise<void> {
    if (answer.error) this.#count(answer.error);
    const address = addressOf(asked);
    await this.#folder.append(answerFile(address), answerScript(address, answerJson(answer)));
  }

  /** Writes what an image, audio or video holds, as an address that a browser shows it by. */
  async content(path: AskedAttempt, { pathspec, artifact, entry }: Place): Promise<void> {
    const signal = this.#signal;
    const answer = await this.#tried(async () => {
      const content = await this.#host.content({ ...path, artifact, entry, download: false }, signal);
      const { type, size } = content;
      if (type === undefined)
        return leftOut('It is of a kind that browsers do not show, and not in this export.');
      if (size === undefined || size > MAX_CONTENT_BYTES) {
        const most = formatBytes(MAX_CONTENT_BYTES);
        return leftOut(`It is not in this export, which has images, audio and video of up to ${most}.`);
      }
      const pieces: Uint8Array[] = [];
      for await (const piece of content.open(undefined, signal)) pieces.push(piece);
      const bytes = Buffer.concat(pieces);
      return { result: JSON.stringify(`data:${type};base64,${bytes.toString('base64')}`) };
    });
    await this.put(contentQuestion(pathspec, artifact, entry), answer);
  }

  /** Writes a report as a file of its own, in which nothing runs: loading one verifies the rule that it begins with. */
  async report(pathspec: string, path: AskedAttempt, name: string): Promise<void> {
    let html: Uint8Array | undefined;
    const file = `reports/${this.#reports++}.html`;
    const answer = await this.#tried(async () => {
      html = await this.#host.report({ ...path, name }, this.#signal);
      return { result: JSON.stringify(file) };
    });
    if (html) await this.#folder.write(file, html);
    await this.put(reportQuestion(pathspec, name), answer);
  }

  async #tried(work: () => Promise<Answer<string>>): Promise<Answer<string>> {
    try {
      return await work();
    } catch (error) {
      throwIfAborted(this.#signal);
      return { error: this.#host.failureOf(error) };
    }
  }

  #count(error: Failure): void {
    const { code, message, details } = error;
    if (OF_THE_STORE.test(code)) throw new StowageError(code as StowageErrorCode, message, { details });
    if (code === NOT_EXPORTED) return;
    this.errors += 1;
    if (/_DAMAGED$/.test(code)) this.damage ??= error;
  }
}

function leftOut(message: string): Answer<string> {
  return { error: { code: NOT_EXPORTED, message } };
}
