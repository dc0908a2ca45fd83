import type { JSX } from 'preact';
import { hrefOf } from '../route.ts';

/** The view of what a path names: of a run or step the run's, of a task or attempt the task's, of a flow its runs. */
export function hrefOfPath(path: string): string {
  const names = path.split('/');
  const [flow = '', run, step = '', task] = names;
  if (run === undefined) return hrefOf('runs', [], { flow });
  if (task !== undefined) return hrefOf('task', names);
  return hrefOf('run', [flow, run], { step });
}

/** A path as the command line prints it, as a link to what it names. */
export function PathLink({ path, children }: { path: string; children?: string }): JSX.Element {
  return <a href={hrefOfPath(path)}>{children ?? path}</a>;
}
