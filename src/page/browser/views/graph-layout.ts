/** What is placed in a graph. */
export interface GraphNode {
  id: string;
  /** Pixels. */
  height: number;
  /** Nodes of one group stand together in each layer, in a frame with a head. */
  group?: string | undefined;
  /** True to stand first in its group. */
  isFirst?: boolean;
}

/** A line to a node from one that it read from; or from a group, where it is not known from which of it. */
export interface GraphEdge {
  from: string;
  to: string;
}

/** A part of the graph in its place; pixels. */
export interface Placed {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The frame of a group in one layer. Its id is the group's name, or, of its second frame and so on, that with `//` and a number. */
export interface PlacedFrame extends Placed {
  group: string;
}

/** A line in its place: points that it goes through, from left to right. */
export interface PlacedEdge extends GraphEdge {
  points: readonly (readonly [number, number])[];
}

export interface Graph {
  width: number;
  height: number;
  nodes: readonly Placed[];
  /** One for each layer in which a group has nodes, its head above them. */
  frames: readonly PlacedFrame[];
  edges: readonly PlacedEdge[];
}

export const COLUMN_WIDTH = 176;
/** Of the head of a frame, at its top. */
export const HEAD_HEIGHT = 26;
/** Between a frame and what is in it. */
const PADDING = 8;
const GAP_X = 64;
/** From the left edge of a column to that of the next one. */
export const COLUMN_PITCH = COLUMN_WIDTH + GAP_X;
const GAP_Y = 20;
/** Between nodes of a group, and between lines that pass. */
const SMALL_GAP = 6;
/** A line that passes by nodes takes so much of the height. */
const LANE_HEIGHT = 10;
/** Columns stand in the middle of each other as far as a screen shows them. */
const SEEN_HEIGHT = 500;
/** The order within a layer is mended so many times. */
const SWEEPS = 8;

/** A place in a layer: a node, the head of a frame, or a line on its way past the layer. */
interface Slot {
  id: string;
  kind: 'node' | 'head' | 'lane';
  group: string | undefined;
  /** By which a block is sorted first: a head comes before what stands first. */
  rank: number;
  layer: number;
  height: number;
  y: number;
  before: Set<Slot>;
  behind: Set<Slot>;
}

/** Slots that stand together in a layer: those of a group, or a single one. */
type Block = Slot[];

/**
 * Places nodes in layers from left to right, each behind all that it read from, and leads the lines between nodes that are further apart
 * through gaps of the layers between (Sugiyama, Tagawa, Toda 1981). Lines that pass a layer together from one node, or to one, take one gap.
 * Of edges in a circle one is left out, that back to where one comes to first; and so are those whose ends are no nodes.
 */
export function layoutGraph(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): Graph {
  const members = new Map<string, string[]>();
  for (const { id } of nodes) members.set(id, [id]);
  for (const { id, group } of nodes)
    if (group !== undefined) members.set(group, [...(members.get(group) ?? []), id]);
  const { kept, layers } = layersOf(nodes, edges, members);
  const slots = slotsOf(nodes, layers);
  const columns: Block[][] = [];
  for (const slot of slots.values()) place(columns, slot);
  const chains = chainsOf(kept, slots, columns);
  orderColumns(columns);
  const height = placeColumns(columns);
  const blocks = columns.flat();
  return {
    width: columns.length === 0 ? 0 : columns.length * COLUMN_PITCH - GAP_X,
    height,
    nodes: nodes.map(({ id }) => boxOf(slots.get(id) as Slot)),
    frames: blocks.flatMap((block) => (block[0]?.kind === 'head' ? [frameOf(block)] : [])),
    edges: chains.map(({ from, to, chain }) => ({ from, to, points: pointsOf(chain) })),
  };
}

/** The layer of each node: one behind the last of those that it read from; and the edges that lead forwards. */
function layersOf(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
  members: ReadonlyMap<string, readonly string[]>,
): { kept: GraphEdge[]; layers: Map<string, number> } {
  const readers = new Map<string, { to: string; edge: GraphEdge }[]>(nodes.map(({ id }) => [id, []]));
  for (const edge of edges) {
    if (!readers.has(edge.to)) continue;
    for (const from of members.get(edge.from) ?? []) readers.get(from)?.push({ to: edge.to, edge });
  }
  const kept = new Set<GraphEdge>();
  const [open, done] = [new Set<string>(), new Set<string>()];
  const layers = new Map<string, number>();
  const sorted: { id: string; ahead: string[] }[] = [];
  const visit = (id: string): void => {
    open.add(id);
    const ahead: string[] = [];
    for (const { to, edge } of readers.get(id) ?? []) {
      if (open.has(to)) continue;
      if (!done.has(to)) visit(to);
      ahead.push(to);
      kept.add(edge);
    }
    open.delete(id);
    done.add(id);
    sorted.push({ id, ahead });
  };
  for (const { id } of nodes) if (!done.has(id)) visit(id);
  for (const { id, ahead } of sorted.reverse()) {
    const layer = layers.get(id) ?? 0;
    layers.set(id, layer);
    for (const to of ahead) layers.set(to, Math.max(layers.get(to) ?? 0, layer + 1));
  }
  return { kept: edges.filter((edge) => kept.has(edge)), layers };
}

/** The slots of nodes and heads by their ids: lines from a group begin at its first head. */
function slotsOf(nodes: readonly GraphNode[], layers: ReadonlyMap<string, number>): Map<string, Slot> {
  const slots = new Map<string, Slot>();
  const inLayers = nodes.map((node) => ({ ...node, layer: layers.get(node.id) ?? 0 }));
  for (const { group, layer } of inLayers.toSorted((a, b) => a.layer - b.layer)) {
    if (group === undefined || slots.get(group)?.layer === layer) continue;
    const id = slots.has(group) ? `${group}//${layer}` : group;
    if (!slots.has(id))
      slots.set(id, slotOf({ id, kind: 'head', group, rank: 0, layer, height: HEAD_HEIGHT }));
  }
  for (const { id, height, group, isFirst = false, layer } of inLayers)
    slots.set(id, slotOf({ id, kind: 'node', group, rank: isFirst ? 1 : 2, layer, height }));
  return slots;
}

function slotOf(slot: Omit<Slot, 'y' | 'before' | 'behind'>): Slot {
  return { ...slot, y: 0, before: new Set(), behind: new Set() };
}

/** Adds a slot to its column: behind those of its group, where it has one. */
function place(columns: Block[][], slot: Slot): void {
  while (columns.length <= slot.layer) columns.push([]);
  const column = columns[slot.layer] as Block[];
  const own = slot.group === undefined ? undefined : column.find(([first]) => first?.group === slot.group);
  if (own) own.push(slot);
  else column.push([slot]);
}

interface Chain extends GraphEdge {
  chain: readonly Slot[];
}

/** The slots that each line goes through; places those in which it passes layers. */
function chainsOf(
  edges: readonly GraphEdge[],
  slots: ReadonlyMap<string, Slot>,
  columns: Block[][],
): Chain[] {
  const lanes = new Map<string, Slot>();
  const counts = new Map<string, number>();
  for (const ends of edges)
    for (const side of ['from', 'to'] as const)
      counts.set(`${side} ${ends[side]}`, (counts.get(`${side} ${ends[side]}`) ?? 0) + 1);
  return edges.map(({ from, to }) => {
    const [first, last] = [slots.get(from) as Slot, slots.get(to) as Slot];
    const [out, into] = [`from ${from}`, `to ${to}`];
    const shared = (counts.get(out) ?? 0) >= (counts.get(into) ?? 0) ? out : into;
    const chain = [first];
    for (let layer = first.layer + 1; layer < last.layer; layer += 1) {
      const id = `${layer} ${shared}`;
      let lane = lanes.get(id);
      if (!lane) {
        lane = slotOf({ id, kind: 'lane', group: undefined, rank: 2, layer, height: LANE_HEIGHT });
        lanes.set(id, lane);
        place(columns, lane);
      }
      chain.push(lane);
    }
    chain.push(last);
    for (const [index, slot] of chain.slice(1).entries()) {
      const before = chain[index] as Slot;
      before.behind.add(slot);
      slot.before.add(before);
    }
    return { from, to, chain };
  });
}

/**
 * Orders the blocks of each column by the middle of what their slots are joined to, forwards and backwards, so that few lines cross; within a
 * block, slots by the middle of what they read, so that they keep their order where that is the same.
 */
function orderColumns(columns: Block[][]): void {
  const number = (column: readonly Block[]): void => {
    const slots = column.flat();
    for (const [index, slot] of slots.entries()) slot.y = index / Math.max(1, slots.length - 1);
  };
  for (const column of columns) number(column);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForward = sweep % 2 === 0;
    for (const column of isForward ? columns : columns.toReversed()) {
      const middles = new Map(
        column.flat().map((slot) => [slot, middleOf(isForward ? slot.before : slot.behind, slot.y)]),
      );
      const middle = (slot: Slot): number => middles.get(slot) ?? 0;
      const meanOf = (block: Block): number =>
        block.reduce((sum, slot) => sum + middle(slot), 0) / block.length;
      if (isForward)
        for (const block of column) block.sort((a, b) => a.rank - b.rank || middle(a) - middle(b));
      const means = new Map(column.map((block) => [block, meanOf(block)]));
      column.sort((a, b) => (means.get(a) ?? 0) - (means.get(b) ?? 0));
      number(column);
    }
  }
}

function middleOf(slots: ReadonlySet<Slot>, otherwise: number): number {
  if (slots.size === 0) return otherwise;
  let sum = 0;
  for (const { y } of slots) sum += y;
  return sum / slots.size;
}

/** Gives each slot its height in pixels; returns the height of the whole. */
function placeColumns(columns: readonly Block[][]): number {
  const heights = columns.map((column) => {
    let y = 0;
    for (const [index, block] of column.entries()) {
      if (index > 0) y += isLane(block) && isLane(column[index - 1]) ? SMALL_GAP : GAP_Y;
      for (const [at, slot] of block.entries()) {
        if (at > 0) y += SMALL_GAP;
        slot.y = y;
        y += slot.height;
      }
      if (block[0]?.kind === 'head') y += PADDING;
    }
    return y;
  });
  const whole = Math.max(0, ...heights);
  for (const [index, column] of columns.entries()) {
    const above = Math.max(0, (Math.min(whole, SEEN_HEIGHT) - (heights[index] ?? 0)) / 2);
    for (const slot of column.flat()) slot.y += above;
  }
  return whole;
}

function isLane(block: Block | undefined): boolean {
  return block?.[0]?.kind === 'lane';
}

function xOf(layer: number): number {
  return layer * COLUMN_PITCH;
}

function boxOf({ id, kind, group, layer, y, height }: Slot): Placed {
  const inset = kind === 'node' && group !== undefined ? PADDING : 0;
  return { id, x: xOf(layer) + inset, y, width: COLUMN_WIDTH - 2 * inset, height };
}

function frameOf(block: Block): PlacedFrame {
  const [head, last] = [boxOf(block[0] as Slot), boxOf(block.at(-1) as Slot)];
  return { ...head, group: block[0]?.group ?? '', height: last.y + last.height + PADDING - head.y };
}

/** A line leaves a node at its right edge, passes layers straight, and ends at the left edge of the last. */
function pointsOf(chain: readonly Slot[]): [number, number][] {
  return chain.flatMap((slot, index): [number, number][] => {
    const { x, y, width, height } = boxOf(slot);
    const middle = y + height / 2;
    if (index === 0) return [[x + width, middle]];
    return index === chain.length - 1
      ? [[x, middle]]
      : [
          [x, middle],
          [x + width, middle],
        ];
  });
}
