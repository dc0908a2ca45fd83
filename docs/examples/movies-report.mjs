// @ts-check
/** What the film pipeline shows: its chart, what ran and what did not, and what the store knows of a run. */

/**
 * @typedef {import('stowage').FlowDataStore} FlowDataStore
 * @typedef {import('stowage').Run} Run
 * @typedef {import('stowage').TaskDataStore} TaskDataStore
 * @typedef {{ genre: string, payback: number, between: number[],
 *   surprise: { title: string, released: Date, factor: number } }} Model
 * @typedef {import('stowage').CachedResult<unknown> & { of: string }} Step A call's result, and what it is of.
 * @typedef {{ content: number, records: number }} StoreSize Bytes.
 */

const CONTENT = /^(data|manifests|packs|plain)\//;

/**
 * What a store takes up: content, and the records that describe it.
 *
 * @param {import('stowage').DataStoreStorage} storage
 * @returns {Promise<StoreSize>}
 */
export async function measureStore(storage) {
  const size = { content: 0, records: 0 };
  for await (const { objects } of storage.list({ prefix: '', details: true })) {
    for (const { name, bytes = 0 } of objects) size[CONTENT.test(name) ? 'content' : 'records'] += bytes;
  }
  return size;
}

/**
 * Prints a run: its attempts, which of them ran, its results, what it takes up, and what to look at next.
 *
 * @param {{ flow: FlowDataStore, run: Run, steps: Step[], tookMs: number, sizeBefore: StoreSize, storage: string }} shown
 */
export async function printRun({ flow, run, steps, tookMs, sizeBefore, storage }) {
  const { status, tags, parameters } = await run.info();
  const settings = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  const attempts = await allAttempts(flow, run);
  const done = attempts.filter(({ isDone }) => isDone);
  const lines = [
    `Run ${run.runId} of ${flow.flowName} in ${storage}: ${status}`,
    `tags: ${tags.join(', ')}; parameters: ${settings.join(', ')}`,
    '',
    row('step', 'of', 'attempt', 'result', 'bytes', 'stored'),
    ...attempts.map((attempt) => describeAttempt(attempt, steps)),
    '',
    ...describeTime(steps, tookMs),
    '',
    ...(await describeResults(attempts)),
    '',
    ...describeSizes(done, sizeBefore, await measureStore(flow.storage)),
    '',
    ...nextSteps(flow, run, attempts, steps, storage),
  ];
  console.log(lines.join('\n'));
}

/** All attempts of all tasks, in the order in which they were started. @param {FlowDataStore} flow @param {Run} run */
async function allAttempts(flow, run) {
  /** @type {TaskDataStore[]} */
  const attempts = [];
  for (const latest of await run.tasks({ allowNotDone: true })) {
    const task = `${latest.runId}/${latest.stepName}/${latest.taskId}`;
    for (let attempt = 0; attempt <= latest.attempt; attempt++) {
      attempts.push(await flow.getTaskDataStore(`${task}/${attempt}`, { allowNotDone: true }));
    }
  }
  return attempts.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
}

/** @param {TaskDataStore} task @param {Step[]} steps */
function describeAttempt(task, steps) {
  const { stepName, taskId, attempt, error } = task;
  const step = steps.find(({ key }) => key.startsWith(taskId));
  const infos = task.names().map((name) => task.info(name));
  const took = formatTime(step?.durationMs ?? 0);
  const result = step?.hit ? `hit, saved ${took}` : `ran, took ${took}`;
  const shown = error ? `${error.name}: ${error.message}` : result;
  const bytes = sum(infos.map((info) => info.bytes));
  const stored = sum(infos.map((info) => info.storedBytes));
  return row(stepName, step?.of ?? '', `${attempt}`, shown, formatBytes(bytes), formatBytes(stored));
}

/** What hits save is how long their functions ran; what it took to find them is in what all calls took. @param {Step[]} steps @param {number} tookMs */
function describeTime(steps, tookMs) {
  const hits = steps.filter(({ hit }) => hit);
  const saved = formatTime(sum(hits.map(({ durationMs = 0 }) => durationMs)));
  return [
    `${hits.length} of ${steps.length} calls were hits, which saved ${saved}; all calls took ${formatTime(tookMs)}.`,
  ];
}

/** @param {TaskDataStore[]} attempts */
async function describeResults(attempts) {
  /** @type {{ models: Model[] } | undefined} */
  const joined = await attempts.find(({ stepName }) => stepName === 'compare')?.get('output');
  return [
    'Gross for each dollar of budget (median), and the film that most beat its model:',
    ...(joined?.models ?? []).map(({ genre, payback, between, surprise: { title, released, factor } }) => {
      const range = between.map((number) => number.toFixed(2)).join('-');
      const film = `${title} (${released.getUTCFullYear()})`;
      return `  ${genre.padEnd(19)} ${payback.toFixed(2)} (${range}) ${film.padEnd(35)} ${factor.toFixed(0).padStart(3)} x`;
    }),
  ];
}

/** @param {TaskDataStore[]} done @param {StoreSize} before @param {StoreSize} after */
function describeSizes(done, before, after) {
  const infos = done.flatMap((task) => task.names().map((name) => task.info(name)));
  const once = [...new Map(infos.map((info) => [info.key, info])).values()];
  const bytes = sum(infos.map((info) => info.bytes));
  const distinct = sum(once.map((info) => info.bytes));
  const stored = sum(once.map((info) => (info.inline ? info.bytes : info.storedBytes)));
  const difference = { content: after.content - before.content, records: after.records - before.records };
  return [
    `${infos.length} artifacts of ${formatBytes(bytes)}; equal ones once: ${formatBytes(distinct)}; compressed: ${formatBytes(stored)}.`,
    `The store before this run: ${formatSize(before)}.`,
    `New by this run:           ${formatSize(difference)}.`,
  ];
}

/** @param {FlowDataStore} flow @param {Run} run @param {TaskDataStore[]} attempts @param {Step[]} steps @param {string} storage */
function nextSteps({ flowName }, { runId }, attempts, steps, storage) {
  const command = storage === './.stowage' ? 'npx stowage' : `npx stowage --store ${storage}`;
  const task = (/** @type {string} */ step) => {
    const { taskId } = attempts.find(({ stepName }) => stepName === step) ?? {};
    return `${flowName}/${runId}/${step}/${taskId}`;
  };
  return [
    'Look further:',
    `  ${command} runs`,
    `  ${command} show ${flowName}/${runId}`,
    `  ${command} show ${task('fetch')}`,
    `  ${command} log ${task('fetch')}`,
    `  ${command} get ${task('compare')} chart > chart.svg`,
    // A hit has the report of the attempt that ran.
    `  ${command} report ${flowName}/${steps.at(-1)?.provenance?.pathspec} --open`,
    `  ${command} cache stats`,
    `  ${command} stat`,
  ];
}

/**
 * Draws how much a dollar of budget brought in, a bar for each genre.
 *
 * @param {readonly Model[]} models
 */
export function drawChart(models) {
  const scale = 300 / Math.max(...models.map(({ payback }) => payback));
  const bars = models.map(
    ({ genre, payback }, i) =>
      `<text x="0" y="${i * 24 + 16}">${genre}</text>` +
      `<rect x="140" y="${i * 24 + 2}" width="${(payback * scale).toFixed(1)}" height="18" fill="steelblue"/>` +
      `<text x="450" y="${i * 24 + 16}">${payback.toFixed(2)}</text>`,
  );
  const height = models.length * 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="500" height="${height}" font-family="sans-serif" font-size="14">${bars.join('')}</svg>\n`;
}

/** @param {string[]} cells */
function row(...cells) {
  const [step, of, attempt, result, bytes, stored] = cells;
  const left = `${step.padEnd(8)} ${of.padEnd(19)} ${attempt.padEnd(8)} ${result.padEnd(24)}`;
  return `${left} ${bytes.padStart(8)} ${stored.padStart(8)}`.trimEnd();
}

/** @param {readonly number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

/** @param {number} ms */
function formatTime(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** @param {number} bytes */
function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(2)} MB`;
}

/** @param {StoreSize} size */
function formatSize({ content, records }) {
  return `${formatBytes(content)} of content, ${formatBytes(records)} of records`;
}
