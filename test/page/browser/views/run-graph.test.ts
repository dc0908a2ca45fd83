import fc from 'fast-check';
import { describe, expect } from 'vitest';
import {
  layoutSteps,
  STEP_HEIGHT,
  STEP_WIDTH,
  type StepEdge,
  stepEdges,
} from '../../../../src/page/browser/views/run-graph.ts';
import { test } from '../../../property.ts';

const graphs = fc.integer({ min: 0, max: 14 }).chain((count) => {
  const steps = Array.from({ length: count }, (_, index) => `s${index}`);
  const name = fc.constantFrom(...steps, 'elsewhere');
  return fc.record({
    steps: fc.constant(steps),
    edges: fc.array(fc.record({ from: name, to: name }), { maxLength: 30 }),
  });
});

/** True of a point inside of a step, not at its edge. */
function isIn({ x, y }: { x: number; y: number }, [px, py]: readonly [number, number]): boolean {
  return px > x && px < x + STEP_WIDTH && py > y && py < y + STEP_HEIGHT;
}

describe('the graph of steps', () => {
  test.prop([graphs])('has every step once, none over another, all within its size', ({ steps, edges }) => {
    const graph = layoutSteps(steps, edges);
    expect(graph.steps.map(({ step }) => step)).toEqual(steps);
    for (const [index, a] of graph.steps.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.y).toBeGreaterThanOrEqual(0);
      expect(a.x + STEP_WIDTH).toBeLessThanOrEqual(graph.width);
      expect(a.y + STEP_HEIGHT).toBeLessThanOrEqual(graph.height + 0.001);
      for (const b of graph.steps.slice(index + 1)) {
        const apart = Math.abs(a.x - b.x) >= STEP_WIDTH || Math.abs(a.y - b.y) >= STEP_HEIGHT;
        expect(apart).toBe(true);
      }
    }
  });

  test.prop([graphs])(
    'leads each line forwards, from the edge of its step to that of the other, and through none',
    ({ steps, edges }) => {
      const graph = layoutSteps(steps, edges);
      const placed = new Map(graph.steps.map((one) => [one.step, one]));
      for (const { from, to, points } of graph.edges) {
        expect(points[0]?.[0]).toBe((placed.get(from)?.x ?? 0) + STEP_WIDTH);
        expect(points.at(-1)?.[0]).toBe(placed.get(to)?.x);
        for (const [index, point] of points.entries()) {
          expect(point[0]).toBeGreaterThanOrEqual(points[index - 1]?.[0] ?? 0);
          const next = points[index + 1] ?? point;
          const middle = [(point[0] + next[0]) / 2, (point[1] + next[1]) / 2] as const;
          expect(graph.steps.some((step) => isIn(step, middle))).toBe(false);
        }
      }
    },
  );

  test('lays a fan-out between what it reads and what joins it', () => {
    const edges: StepEdge[] = [
      { from: 'load', to: 'a' },
      { from: 'load', to: 'b' },
      { from: 'a', to: 'join' },
      { from: 'b', to: 'join' },
    ];
    const layer = new Map(
      layoutSteps(['load', 'a', 'b', 'join'], edges).steps.map(({ step, x }) => [step, x]),
    );
    expect(layer.get('a')).toBe(layer.get('b'));
    expect(layer.get('load')).toBeLessThan(layer.get('a') as number);
    expect(layer.get('join')).toBeGreaterThan(layer.get('a') as number);
  });

  test('leaves out the line back of a loop', () => {
    const edges = [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
    ];
    expect(layoutSteps(['a', 'b'], edges).edges.map(({ from }) => from)).toEqual(['a']);
  });
});

describe('the edges of steps', () => {
  test('are those of what was read, each once, none of a step that is not there', () => {
    const task = (task: string, ...readSteps: string[]) => ({
      task,
      started: 1,
      attempts: [{ attempt: 0, status: 'done' as const, artifacts: 0, bytes: 0, readSteps }],
    });
    const steps = [
      { step: 'load', total: 1, tasks: [task('0')] },
      { step: 'fit', total: 2, tasks: [task('0', 'load'), task('1', 'load', 'gone')] },
    ];
    expect(stepEdges({ steps })).toEqual([{ from: 'load', to: 'fit' }]);
  });
});
