import type { FoundAttempt } from '../../../store-index/find.ts';
import type { ShownValue } from '../../../views/previews/shown.ts';
import type { Plotted } from './plotted.ts';

/** A number that versions of an artifact have: its own value, its size, the time of its task, or a leaf of metadata. */
export type Measure = 'value' | 'size' | 'time' | `metadata ${string}`;

/** The measures of an artifact, the most telling first. */
export function measuresOf(type: string, leaves: readonly string[]): Measure[] {
  return [
    ...(type === 'number' ? (['value'] as const) : []),
    ...leaves.map((leaf): Measure => `metadata ${leaf}`),
    ...(['size', 'time'] as const),
  ];
}

/** The leaf of metadata that a measure names. */
export function leafOf(measure: Measure): string | undefined {
  return measure.startsWith('metadata ') ? measure.slice('metadata '.length) : undefined;
}

/** The number of a version; `undefined` where it has none. */
export function measured(
  measure: Measure,
  artifact: string,
  { artifacts, metadata, durationMs, pathspec }: FoundAttempt,
  values: ReadonlyMap<string, number>,
): number | undefined {
  if (measure === 'value') return values.get(pathspec);
  if (measure === 'size') return artifacts.find(({ name }) => name === artifact)?.bytes;
  if (measure === 'time') return durationMs;
  const value = metadata[leafOf(measure) as string];
  return typeof value === 'number' ? value : undefined;
}

/** A line through the versions, oldest first; `undefined` of fewer than two numbers. */
export function lineOfVersions(
  measure: Measure,
  versions: readonly { run: string; number: number | undefined }[],
): Plotted | undefined {
  if (versions.filter(({ number }) => number !== undefined).length < 2) return undefined;
  const numbers = versions.map(({ number }) => number ?? null);
  const xText = (place: number): string => {
    const run = Number.isInteger(place) ? (versions[place]?.run ?? '') : '';
    return run.length > 14 ? `${run.slice(0, 13)}…` : run;
  };
  const xRange: [number, number] = [-0.5, versions.length - 0.5];
  const name = leafOf(measure) ?? measure;
  return {
    kind: 'points',
    xName: 'run',
    names: [name],
    data: [numbers.map((_, place) => place), numbers],
    xRange,
    xText,
  };
}

/** The number that a value is, if it is one that can be drawn. */
export function numberOf(value: ShownValue): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
