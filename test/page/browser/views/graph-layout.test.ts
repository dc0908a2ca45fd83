import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { placedAfterKey } from '../../../../src/page/browser/views/graph-keys.ts';
import {
  COLUMN_WIDTH,
  type GraphEdge,
  type GraphNode,
  HEAD_HEIGHT,
  layoutGraph,
  type Placed,
} from '../../../../src/page/browser/views/graph-layout.ts';
import { test } from '../../../property.ts';

const graphs = fc.integer({ min: 0, max: 14 }).chain((count) => {
  const ids = Array.from({ length: count }, (_, index) => `n${index}`);
  const groups = fc.array(fc.constantFrom(undefined, 'g0', 'g1'), { minLength: count, maxLength: count });
  const end = fc.constantFrom(...ids, 'g0', 'g1', 'elsewhere');
  return fc.record({
    nodes: groups.map((of) =>
      of.map((group, index): GraphNode => ({ id: ids[index] as string, height: 20 + 7 * index, group })),
    ),
    edges: fc.array(fc.record({ from: end, to: end }), { maxLength: 30 }),
  });
});

function node(id: string): GraphNode {
  return { id, height: 30 };
}

function areApart(a: Placed, b: Placed): boolean {
  const beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
  return beside || a.y + a.height <= b.y || b.y + b.height <= a.y;
}

/** True of a point inside of a part, not at its edge. */
function isIn({ x, y, width, height }: Placed, [px, py]: readonly [number, number]): boolean {
  return px > x && px < x + width && py > y && py < y + height;
}

describe('the layout of a graph', () => {
  test.prop([graphs])('has every node once, none over another, all within its size', ({ nodes, edges }) => {
    const graph = layoutGraph(nodes, edges);
    expect(graph.nodes.map(({ id, height }) => [id, height])).toEqual(nodes.map((n) => [n.id, n.height]));
    const free = graph.nodes.filter((_, index) => nodes[index]?.group === undefined);
    for (const part of [...graph.nodes, ...graph.frames]) {
      expect(part.x).toBeGreaterThanOrEqual(0);
      expect(part.y).toBeGreaterThanOrEqual(0);
      expect(part.x + part.width).toBeLessThanOrEqual(graph.width);
      expect(part.y + part.height).toBeLessThanOrEqual(graph.height + 0.001);
      expect(part.width).toBeLessThanOrEqual(COLUMN_WIDTH);
    }
    for (const parts of [graph.nodes, [...free, ...graph.frames]])
      for (const [index, a] of parts.entries())
        for (const b of parts.slice(index + 1)) expect(areApart(a, b), `${a.id} ${b.id}`).toBe(true);
  });

  test.prop([graphs])('has each node of a group in a frame of it, below the head', ({ nodes, edges }) => {
    const graph = layoutGraph(nodes, edges);
    for (const [index, { group }] of nodes.entries()) {
      const { x, y, width, height } = graph.nodes[index] as Placed;
      const around = graph.frames.filter(
        (frame) =>
          frame.x < x &&
          frame.x + frame.width > x + width &&
          frame.y + HEAD_HEIGHT < y &&
          frame.y + frame.height > y + height,
      );
      expect(around.map((frame) => frame.group)).toEqual(group === undefined ? [] : [group]);
    }
    expect(new Set(graph.frames.map(({ id }) => id)).size).toBe(graph.frames.length);
  });

  test.prop([graphs])(
    'leads each line forwards, from the edge of its node or head to that of the other, and through none',
    ({ nodes, edges }) => {
      const graph = layoutGraph(nodes, edges);
      const placed = new Map<string, Placed>([...graph.frames, ...graph.nodes].map((one) => [one.id, one]));
      for (const { from, to, points } of graph.edges) {
        const [source, target] = [placed.get(from) as Placed, placed.get(to) as Placed];
        expect(points[0]?.[0]).toBe(source.x + source.width);
        expect(points.at(-1)?.[0]).toBe(target.x);
        for (const [index, point] of points.entries()) {
          expect(point[0]).toBeGreaterThanOrEqual(points[index - 1]?.[0] ?? 0);
          const next = points[index + 1] ?? point;
          const middle = [(point[0] + next[0]) / 2, (point[1] + next[1]) / 2] as const;
          expect(graph.nodes.some((one) => isIn(one, middle))).toBe(false);
        }
      }
    },
  );

  test.prop([graphs])('leaves out no line but of circles, and of what is not there', ({ nodes, edges }) => {
    const index = new Map(nodes.map(({ id }, at) => [id, at]));
    const forward = edges.filter(({ from, to }) => (index.get(from) ?? 99) < (index.get(to) ?? -1));
    const drawn = layoutGraph(nodes, forward).edges.map(({ from, to }) => [from, to]);
    expect(drawn).toEqual(forward.map(({ from, to }) => [from, to]));
  });

  test('lays a fan-out between what it reads and what joins it', () => {
    const edges: GraphEdge[] = [
      { from: 'load', to: 'a' },
      { from: 'load', to: 'b' },
      { from: 'a', to: 'join' },
      { from: 'b', to: 'join' },
    ];
    // In whatever order they are known.
    const nodes = ['join', 'load', 'a', 'b'].map(node);
    const layer = new Map(layoutGraph(nodes, edges).nodes.map(({ id, x }) => [id, x]));
    expect(layer.get('a')).toBe(layer.get('b'));
    expect(layer.get('load')).toBeLessThan(layer.get('a') as number);
    expect(layer.get('join')).toBeGreaterThan(layer.get('a') as number);
  });

  test('leaves out the line back of a loop', () => {
    const edges = [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
    ];
    expect(layoutGraph(['a', 'b'].map(node), edges).edges.map(({ from }) => from)).toEqual(['a']);
  });

  test('begins a line from a group at its head, before none of it', () => {
    const nodes = [{ ...node('a'), group: 'g' }, { ...node('b'), group: 'g' }, node('c')];
    const edges = [
      { from: 'a', to: 'b' },
      { from: 'g', to: 'c' },
    ];
    const graph = layoutGraph(nodes, edges);
    const [head] = graph.frames;
    const line = graph.edges.find(({ from }) => from === 'g');
    expect(line?.points[0]).toEqual([(head?.x ?? 0) + COLUMN_WIDTH, (head?.y ?? 0) + HEAD_HEIGHT / 2]);
    expect(graph.nodes[2]?.x).toBeGreaterThan(graph.nodes[1]?.x ?? 0);
    expect(graph.frames.map(({ group }) => group)).toEqual(['g', 'g']);
  });

  test('leads many lines past a layer together', () => {
    const fits = Array.from({ length: 50 }, (_, index) => node(`fit ${index}`));
    const edges = fits.flatMap(({ id }) => [
      { from: 'load', to: id },
      { from: 'between', to: id },
    ]);
    const nodes = [node('load'), node('between'), ...fits];
    const alone = layoutGraph(nodes, edges).height;
    expect(layoutGraph(nodes, [...edges, { from: 'load', to: 'between' }]).height).toBeLessThanOrEqual(alone);
  });

  test('keeps the order of a group, but for what stands first', () => {
    const group = Array.from({ length: 9 }, (_, index) => ({ ...node(`fit ${index}`), group: 'fit' }));
    const rest = { ...node('rest'), group: 'fit', isFirst: true };
    const edges = [
      ...group.map(({ id }) => ({ from: 'load', to: id })),
      ...[8, 3, 5].map((index) => ({ from: `fit ${index}`, to: 'join' })),
    ];
    const { nodes } = layoutGraph([node('load'), ...group, rest, node('join')], edges);
    const ids = nodes.filter(({ id }) => id.startsWith('fit')).sort((a, b) => a.y - b.y);
    expect(ids.map(({ id }) => id)).toEqual(group.map(({ id }) => id));
  });
});

describe('the keys of a graph', () => {
  const KEYS = ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End'];

  test.prop([graphs])('lead to every part from the first', ({ nodes, edges }) => {
    const graph = layoutGraph(nodes, edges);
    const parts = [...graph.frames.map((frame) => ({ ...frame, height: HEAD_HEIGHT })), ...graph.nodes];
    const reached = new Set(parts.slice(0, 1).map(({ id }) => id));
    for (const id of reached)
      for (const key of KEYS) {
        const next = placedAfterKey(parts, id, key);
        if (next !== undefined) reached.add(next);
      }
    expect([...reached].sort()).toEqual(parts.map(({ id }) => id).sort());
  });

  test('lead up and down a column, and to what lies nearest in the next', () => {
    const edges = [
      { from: 'load', to: 'a' },
      { from: 'load', to: 'b' },
    ];
    const { nodes } = layoutGraph(['load', 'a', 'b'].map(node), edges);
    expect(placedAfterKey(nodes, 'a', 'ArrowDown')).toBe('b');
    expect(placedAfterKey(nodes, 'b', 'ArrowDown')).toBeUndefined();
    expect(placedAfterKey(nodes, 'b', 'ArrowLeft')).toBe('load');
    expect(placedAfterKey(nodes, 'load', 'End')).toBe('b');
    expect(placedAfterKey(nodes, 'load', 'Tab')).toBeUndefined();
  });
});
