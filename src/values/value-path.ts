/** One step from a value into it. */
export type PathStep =
  | string
  | number
  | { readonly in: 'map-keys' | 'map-values' | 'set'; index: number; key: unknown }
  | { readonly in: 'class'; readonly className: string };

const MAX_SHOWN = 180;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/**
 * The path as a JavaScript expression that leads to the place: `model.layers[3].activation`, `scores.get("a")`,
 * `[...tags][2]`.
 */
export function formatPath(root: string, steps: readonly (PathStep | undefined)[]): string {
  return steps.reduce<string>((path, step) => (step === undefined ? path : formatStep(path, step)), root);
}

/** A path for a message: a long one, which a deep value has, without its middle. */
export function shownPath(path: string): string {
  if (path.length <= MAX_SHOWN) return path;
  const end = path.slice(-MAX_SHOWN / 3);
  return `${path.slice(0, MAX_SHOWN - end.length)} … ${end}`.toWellFormed();
}

function formatStep(path: string, step: PathStep): string {
  if (typeof step === 'number') return `${path}[${step}]`;
  if (typeof step === 'string') {
    return IDENTIFIER.test(step) ? `${path}.${step}` : `${path}[${JSON.stringify(step)}]`;
  }
  switch (step.in) {
    case 'class':
      return `${step.className}.toValue(${path})`;
    case 'set':
      return `[...${path}][${step.index}]`;
    case 'map-keys':
      return `[...${path}.keys()][${step.index}]`;
    case 'map-values':
      if (typeof step.key === 'string') return `${path}.get(${JSON.stringify(step.key)})`;
      if (typeof step.key === 'number') return `${path}.get(${step.key})`;
      return `[...${path}.values()][${step.index}]`;
  }
}
