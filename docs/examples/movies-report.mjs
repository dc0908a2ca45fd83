// @ts-check
/** What the film pipeline shows: its chart, and what the store knows of a run. Everything here is read from the store. */

/**
 * @typedef {import('stowage').FlowDataStore} FlowDataStore
 * @typedef {import('stowage').Run} Run
 * @typedef {import('stowage').TaskDataStore} TaskDataStore
 * @typedef {{ genre: string, payback: number, surprise: { title: string, released: Date, factor: number } }} Model
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
 * Prints a run: its tasks and attempts, its results, what it takes up, and what to look at next.
 *
 * @param {FlowDataStore} flow
 * @param {Run} run
 * @param {StoreSize} before
 * @param {string} storage
 */
export async function printRun(flow, run, before, storage) {
  const { status, tags, parameters } = await run.info();
  const settings = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  const attempts = await allAttempts(flow, run);
  const done = attempts.filter(({ isDone }) => isDone);
  const lines = [
    `Run ${run.runId} of ${flow.flowName} in ${storage}: ${status}`,
    `tags: ${tags.join(', ')}; parameters: ${settings.join(', ')}`,
    '',
    row('step', 'task/attempt', 'status', 'artifacts', 'bytes', 'stored'),
    ...attempts.map(describeAttempt),
    '',
    ...(await describeResults(flow, run)),
    '',
    ...describeSizes(done, before, await measureStore(flow.storage)),
    '',
    ...nextSteps(flow, run, storage),
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

/** @param {TaskDataStore} task */
function describeAttempt(task) {
  const { stepName, taskId, attempt, status, error } = task;
  const infos = task.names().map((name) => task.info(name));
  const shown = error ? `${error.name}: ${error.message}` : formatNames(task.names());
  const bytes = sum(infos.map((info) => info.bytes));
  const stored = sum(infos.map((info) => info.storedBytes));
  return row(stepName, `${taskId}/${attempt}`, status, shown, formatBytes(bytes), formatBytes(stored));
}

/** @param {FlowDataStore} flow @param {Run} run */
async function describeResults(flow, run) {
  const compare = await flow.getTaskDataStore(`${run.runId}/compare/0`);
  /** @type {Model[]} */
  const models = await compare.get('models');
  return [
    'Gross for each dollar of budget (median), and the film that most beat its model:',
    ...models.map(({ genre, payback, surprise: { title, released, factor } }) => {
      const film = `${title} (${released.getUTCFullYear()})`;
      return `  ${genre.padEnd(19)} ${payback.toFixed(2)}   ${film.padEnd(36)} ${factor.toFixed(0).padStart(4)} times`;
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

/** @param {FlowDataStore} flow @param {Run} run @param {string} storage */
function nextSteps({ flowName }, { runId }, storage) {
  const command = storage === './.stowage' ? 'npx stowage' : `npx stowage --store ${storage}`;
  return [
    'Look further:',
    `  ${command} runs`,
    `  ${command} show ${flowName}/${runId}`,
    `  ${command} show ${flowName}/${runId}/load/0`,
    `  ${command} log ${flowName}/${runId}/load/0`,
    `  ${command} get ${flowName}/${runId}/compare/0 chart > chart.svg`,
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
  const [step, task, status, artifacts, bytes, stored] = cells;
  const left = `${step.padEnd(8)} ${task.padEnd(20)} ${status.padEnd(7)} ${artifacts.padEnd(24)}`;
  return `${left} ${bytes.padStart(8)} ${stored.padStart(8)}`.trimEnd();
}

/** As many names as a column of 24 holds, and how many more there are. @param {readonly string[]} names */
function formatNames(names) {
  for (let shown = names.length; shown > 0; shown--) {
    const more = shown < names.length ? ` +${names.length - shown}` : '';
    const text = names.slice(0, shown).join(', ') + more;
    if (text.length <= 24) return text;
  }
  return `${names.length} artifacts`;
}

/** @param {readonly number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
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
