import { escapeHtml } from './html-text.ts';
import { type Extent, extended, isDrawn, linearScale, rounded, type Scale, widened } from './plot-scale.ts';

/** Numbers of a plot. */
export type PlotNumbers = ArrayLike<number>;

/** A series that was checked. */
export interface CheckedSeries {
  /** Empty without one. */
  name: string;
  x: PlotNumbers | undefined;
  /** Of bars: texts in place of `x`. */
  labels: readonly string[] | undefined;
  y: PlotNumbers;
}

/** A plot that was checked; sizes in CSS pixels. */
export interface CheckedPlot {
  kind: 'line' | 'bar' | 'scatter' | 'histogram';
  title: string | undefined;
  xLabel: string | undefined;
  yLabel: string | undefined;
  bins: number | undefined;
  width: number;
  height: number;
  series: readonly CheckedSeries[];
}

/** Told apart by people who see colours differently, on light and dark (Okabe and Ito, 2008). */
const COLORS = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7', '#56b4e9', '#f0e442', '#999999'];
const MARGIN = { top: 12, right: 16, bottom: 36, left: 64 };
const TITLE = 24;
const LABEL = 18;
const LEGEND = 20;
/** Characters of a legend, label or title that are drawn. */
const MAX_TEXT = 80;
/** A line of no length, which round ends make a point. */
const POINT = 'h0';
/** More than any plot is high. */
const PIXELS = 65_536;
/** A tick for so many pixels. */
const [TICK_WIDTH, TICK_HEIGHT] = [90, 50];

/** The frame that marks are drawn in, in pixels. */
interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Draws a plot as an `svg` element without a script, a style or a link. Equal plots make equal texts. */
export function drawPlot(plot: CheckedPlot): string {
  const { width, height, title, xLabel, yLabel, series } = plot;
  const isNamed = series.some(({ name }) => name !== '');
  const frame = {
    left: MARGIN.left + (yLabel ? LABEL : 0),
    right: width - MARGIN.right,
    top: MARGIN.top + (title ? TITLE : 0) + (isNamed ? LEGEND : 0),
    bottom: height - MARGIN.bottom - (xLabel ? LABEL : 0),
  };
  const middle = rounded((frame.left + frame.right) / 2);
  const center = rounded((frame.top + frame.bottom) / 2);
  const parts = [
    ...(title ? [text(title, middle, 18, 'middle', ' font-weight="bold"')] : []),
    ...(isNamed ? legend(series, frame, title ? TITLE : 0) : []),
    ...(xLabel ? [text(xLabel, middle, height - 6, 'middle')] : []),
    ...(yLabel ? [text(yLabel, 14, center, 'middle', ` transform="rotate(-90 14 ${center})"`)] : []),
    ...(plot.kind === 'bar' || plot.kind === 'histogram' ? bars(plot, frame) : points(plot, frame)),
  ];
  const named = title ? ` aria-label="${escapeHtml(cut(title))}"` : '';
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return `<svg ${size} role="img"${named} font-family="system-ui,sans-serif" font-size="12" fill="currentColor">\n${parts.join('\n')}\n</svg>`;
}

function points({ kind, series }: CheckedPlot, frame: Frame): string[] {
  let [x, y]: (Extent | undefined)[] = [];
  for (const one of series) {
    for (let index = 0; index < one.y.length; index++) {
      const [at, value] = pointOf(one, index);
      if (!isDrawn(at) || !isDrawn(value)) continue;
      x = extended(x, at);
      y = extended(y, value);
    }
  }
  if (!x || !y) return [nothing(frame)];
  const across = linearScale(x, frame.left, frame.right, ticksOf(frame.right - frame.left, TICK_WIDTH), true);
  const up = linearScale(y, frame.bottom, frame.top, ticksOf(frame.bottom - frame.top, TICK_HEIGHT));
  const draw = kind === 'scatter' ? cloud : line;
  return [
    ...axes(frame, up),
    ...across.ticks.map((tick) => text(across.label(tick), across.at(tick), frame.bottom + 18, 'middle')),
    ...series.map((one, index) => draw(one, colorOf(index), across, up)),
  ];
}

/** A line through a series, with a gap where a value is not finite. Of many points in one column of pixels those that show are drawn. */
function line(series: CheckedSeries, color: string, across: Scale, up: Scale): string {
  const path: string[] = [];
  let column: Column | undefined;
  let drawn = 0;
  const endColumn = (): void => {
    for (const y of column?.ends() ?? []) path.push(`${drawn++ === 0 ? 'M' : 'L'}${column?.x} ${y}`);
    column = undefined;
  };
  const endLine = (): void => {
    endColumn();
    if (drawn === 1) path.push(POINT);
    drawn = 0;
  };
  for (let index = 0; index < series.y.length; index++) {
    const [at, value] = pointOf(series, index);
    if (!isDrawn(at) || !isDrawn(value)) {
      endLine();
      continue;
    }
    const [x, y] = [Math.round(across.at(at) * 2) / 2, up.at(value)];
    if (column?.x === x) column.add(y);
    else {
      endColumn();
      column = new Column(x, y);
    }
  }
  endLine();
  return `<path d="${path.join('')}" fill="none" stroke="${color}" stroke-width="1.5" stroke-linecap="round"/>`;
}

/** The values of a line in one column of pixels: the first, the least, the greatest, and the last. */
class Column {
  readonly x: number;
  readonly #first: number;
  #min: number;
  #max: number;
  #last: number;

  constructor(x: number, y: number) {
    this.x = x;
    this.#first = y;
    this.#min = y;
    this.#max = y;
    this.#last = y;
  }

  add(y: number): void {
    this.#min = Math.min(this.#min, y);
    this.#max = Math.max(this.#max, y);
    this.#last = y;
  }

  ends(): number[] {
    const ends = [this.#first, this.#min, this.#max, this.#last];
    return ends.filter((y, index) => y !== ends[index - 1]);
  }
}

/** Points that fall on one pixel are drawn once. */
function cloud(series: CheckedSeries, color: string, across: Scale, up: Scale): string {
  const drawn = new Set<number>();
  for (let index = 0; index < series.y.length; index++) {
    const [at, value] = pointOf(series, index);
    if (!isDrawn(at) || !isDrawn(value)) continue;
    drawn.add(Math.round(across.at(at)) * PIXELS + Math.round(up.at(value)));
  }
  const points = Array.from(drawn, (pixel) => `M${Math.floor(pixel / PIXELS)} ${pixel % PIXELS}${POINT}`);
  return `<path d="${points.join('')}" stroke="${color}" stroke-width="5" stroke-linecap="round"/>`;
}

function bars(plot: CheckedPlot, frame: Frame): string[] {
  const counted = plot.kind === 'histogram' ? binned(plot) : undefined;
  const { series } = counted ?? plot;
  let y: Extent | undefined;
  for (const one of series)
    for (let index = 0; index < one.y.length; index++) y = extended(y, one.y[index] as number);
  const places = Math.max(...series.map((one) => one.y.length));
  if (!y || places === 0) return [nothing(frame)];
  const up = linearScale(
    { min: Math.min(y.min, 0), max: Math.max(y.max, 0) },
    frame.bottom,
    frame.top,
    ticksOf(frame.bottom - frame.top, TICK_HEIGHT),
    false,
  );
  const room = (frame.right - frame.left) / places;
  const gap = counted ? Math.min(1, room * 0.1) : room * 0.2;
  const wide = (room - gap) / series.length;
  const marks = series.flatMap((one, set) =>
    Array.from(one.y, (value, index) => {
      if (!isDrawn(value)) return '';
      const left = frame.left + room * index + gap / 2 + wide * set;
      const [zero, end] = [up.at(0), up.at(value)];
      const size = `width="${rounded(wide)}" height="${rounded(Math.abs(zero - end))}"`;
      return `<rect x="${rounded(left)}" y="${Math.min(zero, end)}" ${size} fill="${colorOf(set)}"/>`;
    }),
  );
  const named = counted ? edges(counted.range, frame) : barLabels(series, room, frame);
  return [...axes(frame, up), ...named, ...marks.filter((mark) => mark !== '')];
}

/** The texts below bars, as many as there is room for. */
function barLabels(series: readonly CheckedSeries[], room: number, frame: Frame): string[] {
  const [first] = series;
  if (!first) return [];
  const labels = first.labels ?? Array.from(first.y, (_, index) => String(first.x?.[index] ?? index));
  const each = Math.max(1, Math.ceil(TICK_WIDTH / 2 / room));
  const most = Math.max(3, Math.floor((room * each) / 7));
  return labels.flatMap((label, index) =>
    index % each === 0
      ? [text(cut(label, most), rounded(frame.left + room * (index + 0.5)), frame.bottom + 18, 'middle')]
      : [],
  );
}

function edges(range: Extent, frame: Frame): string[] {
  const across = linearScale(
    range,
    frame.left,
    frame.right,
    ticksOf(frame.right - frame.left, TICK_WIDTH),
    true,
  );
  return across.ticks.map((tick) => text(across.label(tick), across.at(tick), frame.bottom + 18, 'middle'));
}

/** How many of the values of each series lie in each of equal ranges. */
function binned({ series, bins }: CheckedPlot): { series: CheckedSeries[]; range: Extent } {
  let found: Extent | undefined;
  let most = 0;
  for (const { y } of series) {
    let count = 0;
    for (let index = 0; index < y.length; index++) {
      found = extended(found, y[index] as number);
      if (isDrawn(y[index] as number)) count += 1;
    }
    most = Math.max(most, count);
  }
  if (!found) return { series: series.map((one) => ({ ...one, y: [] })), range: { min: 0, max: 1 } };
  const range = widened(found);
  const number = bins ?? Math.min(200, Math.ceil(1 + Math.log2(most)));
  const span = range.max - range.min;
  const counts = series.map(({ y, ...one }) => {
    const counted = new Array<number>(number).fill(0);
    for (let index = 0; index < y.length; index++) {
      const value = y[index] as number;
      if (!isDrawn(value)) continue;
      const bin = Math.min(number - 1, Math.floor(((value - range.min) / span) * number));
      counted[bin] = (counted[bin] ?? 0) + 1;
    }
    return { ...one, y: counted };
  });
  return { series: counts, range };
}

function axes({ left, right, bottom }: Frame, up: Scale): string[] {
  const grid = up.ticks.flatMap((tick) => {
    const y = up.at(tick);
    const rule = `<path d="M${left} ${y}H${right}" stroke="currentColor" stroke-opacity="0.15"/>`;
    return [rule, text(up.label(tick), left - 8, y + 4, 'end')];
  });
  return [...grid, `<path d="M${left} ${bottom}H${right}" stroke="currentColor" stroke-opacity="0.5"/>`];
}

function legend(series: readonly CheckedSeries[], { left, right }: Frame, top: number): string[] {
  const room = Math.floor((right - left) / series.length);
  const most = Math.max(3, Math.floor((room - 24) / 7));
  return series.flatMap(({ name }, index) => {
    const x = left + room * index;
    const swatch = `<rect x="${x}" y="${top + 6}" width="12" height="12" fill="${colorOf(index)}"/>`;
    return [swatch, text(cut(name, most), x + 18, top + 16, 'start')];
  });
}

function nothing({ left, right, top, bottom }: Frame): string {
  return text('no finite values', rounded((left + right) / 2), rounded((top + bottom) / 2), 'middle');
}

function text(said: string, x: number, y: number, anchor: string, more = ''): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${more}>${escapeHtml(cut(said))}</text>`;
}

function cut(said: string, most = MAX_TEXT): string {
  return said.length <= most ? said : `${said.slice(0, most - 1)}…`;
}

function colorOf(index: number): string {
  return COLORS[index % COLORS.length] as string;
}

function ticksOf(pixels: number, each: number): number {
  return Math.max(2, Math.floor(pixels / each));
}

function pointOf({ x, y }: CheckedSeries, index: number): [x: number, y: number] {
  return [x ? (x[index] as number) : index, y[index] as number];
}
