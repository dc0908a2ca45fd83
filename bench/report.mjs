import { cacheTables } from './cache/report.mjs';
import { priceOf } from './wire/request-kinds.mjs';

const MIB = 1024 * 1024;
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
const mebibytes = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;

/** What was measured, as tables: rows of text, the first one their head. */
export function toTables({
  environment,
  speed,
  large,
  floors,
  'event-loop': eventLoop,
  files,
  frames,
  deduplication,
  linearity,
  collection,
  checks,
  commands,
  requests,
  wire,
  cache,
  stores,
  page,
  'start-up': startUp,
}) {
  const tables = [];
  if (speed.length > 0)
    tables.push({ id: 'speed', title: 'Speed, beside Metaflow', rows: speedTable(speed) });
  if (large.length > 0) tables.push({ id: 'large', title: 'Large content', rows: largeTable(large) });
  if (floors) tables.push({ id: 'floors', title: 'Floors', rows: floorTable(floors) });
  if (eventLoop)
    tables.push({ id: 'event-loop', title: 'Delay of the event loop', rows: eventLoopTable(eventLoop) });
  if (files) tables.push({ id: 'files', title: 'Files and directories', rows: fileTable(files) });
  if (frames) tables.push({ id: 'frames', title: 'Columns of Parquet files', rows: frameTable(frames) });
  if (deduplication)
    tables.push({
      id: 'deduplication',
      title: 'New bytes of edited content',
      rows: deduplicationTable(deduplication),
    });
  if (linearity) tables.push({ id: 'linearity', title: 'Cost of a unit', rows: linearityTable(linearity) });
  if (collection?.length > 0)
    tables.push({ id: 'collection', title: 'Collection', rows: collectionTable(collection) });
  if (checks?.length > 0) tables.push({ id: 'checks', title: 'Checks', rows: checksTable(checks) });
  if (commands)
    tables.push({
      id: 'commands',
      title: "Commands, beside Metaflow's client",
      rows: commandTable(commands),
    });
  if (requests) tables.push({ id: 'requests', title: 'Requests', rows: requestTable(requests) });
  if (wire) tables.push({ id: 'wire', title: 'Requests on the wire', rows: wireTable(wire) });
  if (stores) tables.push({ id: 'stores', title: 'Kinds of store', rows: storesTable(stores) });
  if (cache) tables.push(...cacheTables(cache));
  if (page) {
    tables.push({ id: 'page', title: 'The page', rows: pageTable(page) });
    tables.push({ id: 'page-views', title: 'Other views of the page', rows: pageViewsTable(page) });
  }
  if (startUp) tables.push({ id: 'start-up', title: 'Start-up', rows: startUpTable(startUp) });
  return [{ id: 'environment', title: 'Measured on', rows: environmentTable(environment) }, ...tables];
}

function environmentTable(environment) {
  return [['what', 'value'], ...Object.entries(environment)];
}

function speedTable(comparisons) {
  return [
    ['work', 'Metaflow', 'Stowage', 'times as fast', 'must', 'aim', 'in a new process'],
    ...comparisons.map(({ work, metaflow, stowage, ratio, firstRatio, must, aim, perSecond }) => [
      work,
      metaflow ? `${duration(metaflow, perSecond)}${metaflow.recorded ? ' recorded' : ''}` : '',
      duration(stowage, perSecond),
      ratio ? withRange(ratio, fixed) : '',
      atLeast(must, ratio),
      atLeast(aim, ratio),
      firstRatio ? withRange(firstRatio, fixed) : '',
    ]),
  ];
}

/** Each cell with what it must be, where it must be anything. */
function largeTable(rows) {
  const memory = ({ by, ...bytes }) =>
    `${withRange(bytes, (count) => (count / MIB).toFixed(0))} MiB${by === 'maxRSS' ? ', at most (by maxRSS)' : ''}`;
  return [
    [
      'work',
      'Metaflow',
      'in a new process',
      'times as fast',
      'must',
      'aim',
      'warm',
      'floor',
      'of the floor',
      'memory beyond the value',
      "of Metaflow's size",
    ],
    ...rows.map(({ work, metaflow, first, ratio, warm, floor, floorWork, ofFloor, over, size, targets }) => [
      work,
      metaflow ? duration(metaflow) : '',
      duration(first),
      ratio ? withRange(ratio, fixed) : '',
      atLeast(targets.must, ratio),
      atLeast(targets.aim, ratio),
      duration(warm),
      `${floorWork}: ${duration(floor)}`,
      atMost(withRange(ofFloor, precise), targets.mustFloor, ofFloor.median),
      atMost(memory(over), targets.mustMemoryMib, over.median / MIB),
      size === undefined ? '' : atMost(precise(size), targets.mustSize, size),
    ]),
  ];
}

function floorTable(rows) {
  const contents = Object.keys(rows[0].rates);
  return [
    ['MB a second', ...contents],
    ...rows.map(({ work, rates }) => [
      work,
      ...contents.map((content) => withRange(rates[content], (rate) => rate.toFixed(0))),
    ]),
  ];
}

export function eventLoopTable(rows) {
  const ms = (figure) => (Number.isFinite(figure.median) ? `${withRange(figure, fixed)} ms` : '');
  return [
    [
      'work',
      'took',
      'delay, median',
      '99th percentile',
      'must',
      'longest',
      'own work, 99th percentile',
      'longest',
      'waiting for a core, 99th percentile',
      'delay while doing nothing, 99th percentile',
    ],
    ...rows.map(({ work, ms: took, p50, p99, max, workedP99, workedMax, waitedP99, idleP99, mustMs }) => [
      work,
      ms(took),
      ms(p50),
      ms(p99),
      verdict(`${mustMs} ms`, p99.median < mustMs),
      ms(max),
      ms(workedP99),
      ms(workedMax),
      ms(waitedP99),
      ms(idleP99),
    ]),
  ];
}

export function fileTable(rows) {
  return [
    [
      'work',
      'cp',
      'Stowage in a folder',
      'times as long as cp',
      'of the first time',
      'aws s3',
      'Stowage on S3',
      'times as fast as aws',
    ],
    ...rows.map(({ work, cp, folder, ofCp, ofFirst, aws, s3, ratio }) => [
      work,
      duration(cp),
      duration(folder),
      withRange(ofCp, fixed),
      ofFirst ? withRange(ofFirst, precise) : '',
      aws ? duration(aws) : '',
      s3 ? duration(s3) : '',
      ratio ? withRange(ratio, fixed) : '',
    ]),
  ];
}

export function frameTable(rows) {
  const cells = ({ ours, theirs, ratio }) => [
    theirs ? duration(theirs) : '',
    duration(ours),
    ratio ? withRange(ratio, precise) : '',
  ];
  return [
    [
      'read',
      'pyarrow, first',
      'Stowage, first',
      'times as fast',
      'pyarrow, warm',
      'Stowage, warm',
      'times as fast',
    ],
    ...rows.map(({ work, first, warm }) => [work, ...cells(first), ...cells(warm)]),
  ];
}

export function deduplicationTable({ rows, restic }) {
  return [
    [
      'edit',
      'new, same process',
      'new, another process',
      'at most',
      'stored of it, alone',
      `restic ${restic ?? ''}`.trim(),
    ],
    ...rows.map(({ name, most, same, other, stores, restic: theirs }) => [
      name,
      percent(same),
      percent(other),
      verdict(percent(most), Math.max(same, other) <= most),
      percent(stores),
      theirs === undefined ? '' : percent(theirs),
    ]),
  ];
}

export function linearityTable(rows) {
  return [
    ['of', 'units', 'step', 'µs a unit', 'of that CPU', 'of the smallest'],
    ...rows.map(({ what, unit, units, step, us, cpuUs, ofSmallest }) => [
      what,
      `${units.toLocaleString('en-US')} ${unit}`,
      step,
      withRange(us, fixed),
      fixed(cpuUs.median),
      precise(ofSmallest),
    ]),
  ];
}

export function collectionTable(rows) {
  return objectsTable('collection', rows);
}

export function checksTable(rows) {
  return objectsTable('check', rows);
}

/** What work on stores of many objects takes. Of other programs only the time is known. */
function objectsTable(work, rows) {
  const text = (number) => number.toLocaleString('en-US');
  return [
    ['objects', work, 'took', 'µs an object', 'of that CPU', 'memory', 'requests at S3', 'price at S3'],
    ...rows.map(({ what, objects, ms, cpuMs, overBytes, requests, dollars }) => [
      text(objects),
      what,
      `${(ms / 1000).toFixed(1)} s`,
      fixed((ms * 1000) / objects),
      cpuMs === undefined ? '' : fixed((cpuMs * 1000) / objects),
      overBytes === undefined ? '' : `${(overBytes / MIB).toFixed(0)} MiB`,
      requests === undefined ? '' : requestsText(requests),
      dollars === undefined ? '' : `$${dollars.toFixed(4)}`,
    ]),
  ];
}

function requestsText(requests) {
  const made = Object.entries(requests).filter(([, count]) => count > 0);
  return made.map(([kind, count]) => `${count.toLocaleString('en-US')} ${kind}`).join(', ');
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

function precise(number) {
  return number.toFixed(2);
}

/** A target for a ratio that is to be large; empty where there is none, or nothing to compare with. */
function atLeast(target, ratio) {
  return target === undefined || !ratio ? '' : verdict(`${target}x`, ratio.median >= target);
}

function atMost(text, target, value) {
  return target === undefined ? text : `${text} (${verdict(String(target), value <= target)})`;
}

function commandTable(commands) {
  return [
    ['work', "Metaflow's client", 'stowage', 'times as fast'],
    ...commands.map(({ work, metaflow, stowage, ratio }) => [
      work,
      metaflow ? duration(metaflow) : '',
      duration(stowage),
      ratio ? withRange(ratio, fixed) : '',
    ]),
  ];
}

function requestTable(counts) {
  return [
    ['work', 'requests', 'of which', 'must', 'Metaflow, as published'],
    ...counts.map(({ work, requests, by, target, metaflow }) => [
      work,
      String(requests),
      Object.entries(by)
        .map(([operation, count]) => `${count} ${operation}`)
        .join(', '),
      target === undefined ? '' : verdict(String(target), requests <= target),
      metaflow === undefined ? '' : String(metaflow),
    ]),
  ];
}

function wireTable(counts) {
  const requests = (kinds) => (kinds ? String(sum(Object.values(kinds))) : '');
  const dollars = (kinds) => (kinds ? `$${(priceOf(kinds) * 1e6).toFixed(2)}` : '');
  return [
    [
      'work',
      'calls',
      'must',
      'S3',
      'of which',
      'a million',
      'Metaflow on S3',
      'of which',
      'a million',
      'Azure',
      'Google',
    ],
    ...counts.map(({ work, must, calls, s3, metaflow, azure, gcs }) => [
      work,
      requests(calls),
      must === undefined || !calls ? '' : verdict(String(must), sum(Object.values(calls)) <= must),
      requests(s3),
      kindsOf(s3),
      dollars(s3),
      requests(metaflow),
      kindsOf(metaflow),
      dollars(metaflow),
      requests(azure),
      requests(gcs),
    ]),
  ];
}

/** In one order, whatever came first. */
function kindsOf(counts = {}) {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

export function storesTable(rows) {
  return [
    ['work', 'store', 'took', 'times as fast as Metaflow', 'must'],
    ...rows.map(({ work, name, ms, ratio, must, perSecond }) => [
      work,
      name,
      duration(ms, perSecond),
      ratio ? withRange(ratio, fixed) : '',
      atLeast(must, ratio),
    ]),
  ];
}

/** A column of each view. */
function pageTable({ rows, browser, weight }) {
  const line = (what, cell) => [what, ...rows.map(cell)];
  return [
    ['what', ...rows.map(({ name, count, of }) => `${name} of ${count.toLocaleString('en')} ${of}`)],
    line('first rows in a new tab, ms', ({ firstMs }) => withRange(firstMs, (ms) => String(Math.round(ms)))),
    line('between frames while scrolling through all, ms', ({ frameMs }) =>
      withRange(frameMs, (ms) => ms.toFixed(1)),
    ),
    line('frames that took over 50 ms', ({ slowFrames }) => `${Math.round(slowFrames * 100)} %`),
    line('answers', ({ answers }) => String(answers)),
    line(
      'largest answer, as it is; as it is sent',
      ({ largest, largestSent }) => `${kilobytes(largest)}; ${kilobytes(largestSent)}`,
    ),
    line('memory of scripts in the page', ({ heap }) => mebibytes(heap)),
    line('peak of the server', ({ serverPeak }) => (serverPeak === undefined ? '' : mebibytes(serverPeak))),
    line('weight of the page, as it is; as it is sent', (_, index) =>
      index === 0 ? `${kilobytes(weight.bytes)}; ${kilobytes(weight.sent)}` : '',
    ),
    line('browser', (_, index) => (index === 0 ? `Chromium ${browser}` : '')),
  ];
}

/** A row of each view. */
function pageViewsTable({ views }) {
  return [
    [
      ...['view', 'of a store of', 'first view in a new tab, ms', 'whole view, ms'],
      'largest answer, as it is; as it is sent',
    ],
    ...views.map(({ name, count, of, firstMs, wholeMs, largest, largestSent }) => [
      name,
      `${count.toLocaleString('en')} ${of}`,
      withRange(firstMs, (ms) => String(Math.round(ms))),
      wholeMs ? withRange(wholeMs, (ms) => String(Math.round(ms))) : '',
      `${kilobytes(largest)}; ${kilobytes(largestSent)}`,
    ]),
  ];
}

function startUpTable(commands) {
  return [
    ['work', 'took', 'over bare Node', 'must'],
    ...commands.map(({ work, ms, overBareMs, targetMs }) => [
      work,
      `${withRange(ms, fixed)} ms`,
      overBareMs ? `${withRange(overBareMs, fixed)} ms` : '',
      targetMs ? verdict(`${targetMs} ms`, overBareMs.median <= targetMs) : '',
    ]),
  ];
}

function duration({ median, min, max }, perSecond) {
  if (!perSecond) return `${withRange({ median, min, max }, fixed)} ms`;
  const rate = (ms) => (perSecond.count / ms) * 1000;
  const rates = { median: rate(median), min: rate(max), max: rate(min) };
  return `${withRange(rates, (value) => value.toFixed(0))} ${perSecond.unit}`;
}

function withRange({ median, min, max }, format) {
  return min === max ? format(median) : `${format(median)} (${format(min)}-${format(max)})`;
}

function fixed(number) {
  return number.toFixed(Math.abs(number) < 100 ? 1 : 0);
}

function verdict(target, isMet) {
  return `${target}: ${isMet ? 'met' : 'MISSED'}`;
}

/** Columns aligned, for a terminal. */
export function toText(tables) {
  return tables.map(({ title, rows }) => `${title}\n${alignColumns(rows)}\n`).join('\n');
}

function alignColumns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  return lines.map((line) => `  ${line}`).join('\n');
}

/** Puts each table between its markers in a Markdown text; everything else stays. */
export function writeTables(markdown, tables) {
  let text = markdown;
  for (const { id, rows } of tables) {
    const begin = `<!-- bench:${id} -->`;
    const end = `<!-- /bench:${id} -->`;
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the page has no markers ${begin} and ${end}`);
    text = `${text.slice(0, from)}${begin}\n\n${toMarkdown(rows)}\n\n${text.slice(to)}`;
  }
  return text;
}

function toMarkdown([head, ...body]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}
