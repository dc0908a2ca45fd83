import type { BriefRun } from '../../../views/run-brief.ts';

/** A step that read what another one saved. */
export interface StepEdge {
  from: string;
  to: string;
}

/** A step in its place; pixels. */
export interface PlacedStep {
  step: string;
  x: number;
  y: number;
}

/** A line from a step to one that read of it: points that it goes through, from left to right. */
export interface PlacedEdge extends StepEdge {
  points: readonly (readonly [number, number])[];
}

export interface StepGraph {
  width: number;
  height: number;
  steps: readonly PlacedStep[];
  edges: readonly PlacedEdge[];
}

export const STEP_WIDTH = 176;
export const STEP_HEIGHT = 60;
const GAP_X = 64;
const GAP_Y = 20;
/** A line that passes by steps takes so much of the height. */
const LANE_HEIGHT = 12;
/** The order within a layer is mended so many times. */
const SWEEPS = 8;

/** Which steps read from which. A step that is not there has no edge. */
export function stepEdges({ steps }: Pick<BriefRun, 'steps'>): StepEdge[] {
  const edges = new Map<string, StepEdge>();
  for (const { step, tasks } of steps) {
    for (const { attempts } of tasks) {
      for (const from of attempts.flatMap(({ readSteps = [] }) => readSteps))
        edges.set(JSON.stringify([from, step]), { from, to: step });
    }
  }
  const known = new Set(steps.map(({ step }) => step));
  return [...edges.values()].filter(({ from }) => known.has(from));
}

/** A place in a layer: a step, or a line on its way past the layer. */
interface Slot {
  step?: string;
  layer: number;
  height: number;
  y: number;
  before: Slot[];
  behind: Slot[];
}

/**
 * Places steps in layers from left to right, each behind all that it read from, and leads the lines between steps that are further apart
 * through gaps of the layers between (Sugiyama, Tagawa, Toda 1981). `steps` are in the order in which they began; of edges in a circle,
 * those that lead back in that order are left out.
 */
export function layoutSteps(steps: readonly string[], edges: readonly StepEdge[]): StepGraph {
  const order = new Map(steps.map((step, index) => [step, index]));
  const forward = edges.filter(
    ({ from, to }) => (order.get(from) ?? -1) < (order.get(to) ?? -1) && order.has(from),
  );
  const layers = layersOf(steps, forward);
  const slots = new Map(
    steps.map((step): [string, Slot] => [
      step,
      { step, layer: layers.get(step) ?? 0, height: STEP_HEIGHT, y: 0, before: [], behind: [] },
    ]),
  );
  const columns: Slot[][] = [];
  const place = (slot: Slot): void => {
    columns[slot.layer] ??= [];
    columns[slot.layer]?.push(slot);
  };
  for (const slot of slots.values()) place(slot);
  const chains = forward.map(({ from, to }) => {
    const [first, last] = [slots.get(from) as Slot, slots.get(to) as Slot];
    const chain = [first];
    for (let layer = first.layer + 1; layer < last.layer; layer += 1) {
      const lane: Slot = { layer, height: LANE_HEIGHT, y: 0, before: [], behind: [] };
      place(lane);
      chain.push(lane);
    }
    chain.push(last);
    for (const [index, slot] of chain.entries()) {
      const next = chain[index + 1];
      if (!next) break;
      slot.behind.push(next);
      next.before.push(slot);
    }
    return { from, to, chain };
  });
  orderColumns(columns);
  const height = placeColumns(columns);
  return {
    width: columns.length === 0 ? 0 : columns.length * (STEP_WIDTH + GAP_X) - GAP_X,
    height,
    steps: [...slots.values()].map(({ step = '', layer, y }) => ({ step, x: xOf(layer), y })),
    edges: chains.map(({ from, to, chain }) => ({ from, to, points: pointsOf(chain) })),
  };
}

/** The layer of each step: one behind the last of those that it read from. */
function layersOf(steps: readonly string[], forward: readonly StepEdge[]): Map<string, number> {
  const sources = new Map<string, string[]>();
  for (const { from, to } of forward) sources.set(to, [...(sources.get(to) ?? []), from]);
  const layers = new Map<string, number>();
  for (const step of steps) {
    const before = (sources.get(step) ?? []).map((from) => layers.get(from) ?? 0);
    layers.set(
      step,
      before.reduce((last, layer) => Math.max(last, layer + 1), 0),
    );
  }
  return layers;
}

/** Orders each column by the middle of what its slots are joined to, forwards and backwards, so that few lines cross. */
function orderColumns(columns: readonly Slot[][]): void {
  const number = (column: readonly Slot[]): void => {
    for (const [index, slot] of column.entries()) slot.y = index / Math.max(1, column.length - 1);
  };
  for (const column of columns) number(column);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForward = sweep % 2 === 0;
    for (const column of isForward ? columns : columns.toReversed()) {
      const middles = new Map(
        column.map((slot) => [slot, middleOf(isForward ? slot.before : slot.behind, slot.y)]),
      );
      column.sort((a, b) => (middles.get(a) ?? 0) - (middles.get(b) ?? 0));
      number(column);
    }
  }
}

function middleOf(slots: readonly Slot[], otherwise: number): number {
  if (slots.length === 0) return otherwise;
  return slots.reduce((sum, { y }) => sum + y, 0) / slots.length;
}

/** Gives each slot its height in pixels, columns in the middle of the whole; returns the height of that. */
function placeColumns(columns: readonly Slot[][]): number {
  const heights = columns.map((column) => column.reduce((sum, { height }) => sum + height + GAP_Y, -GAP_Y));
  const whole = Math.max(0, ...heights);
  for (const [index, column] of columns.entries()) {
    let y = (whole - (heights[index] ?? 0)) / 2;
    for (const slot of column) {
      slot.y = y;
      y += slot.height + GAP_Y;
    }
  }
  return whole;
}

function xOf(layer: number): number {
  return layer * (STEP_WIDTH + GAP_X);
}

/** A line leaves a step at its right edge, passes layers straight, and ends at the left edge of the last. */
function pointsOf(chain: readonly Slot[]): [number, number][] {
  return chain.flatMap(({ layer, y, height }, index): [number, number][] => {
    const middle = y + height / 2;
    const [left, right] = [xOf(layer), xOf(layer) + STEP_WIDTH];
    if (index === 0) return [[right, middle]];
    return index === chain.length - 1
      ? [[left, middle]]
      : [
          [left, middle],
          [right, middle],
        ];
  });
}
