import type { ListedRun } from '../attempts/run-listing.ts';
import type { AttemptFiles } from '../format/attempt-files.ts';
import { type EntryKey, parseEntryName } from '../format/cache-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { parsePublishedName } from '../format/published-names.ts';
import { isUserName } from '../storage/names.ts';

/** A thing of a store that may have changed, and is read anew as a whole: its rows in the index are replaced. */
export type Subject = RunSubject | AttemptSubject | EntrySubject | PublishedSubject;

/** The records of a run, but for its tasks. */
export interface RunSubject {
  readonly kind: 'run';
  readonly flow: string;
  readonly run: string;
  /** What its files tell, where a listing has just shown them. */
  readonly listed?: ListedRun;
}

/** An attempt of a task. */
export interface AttemptSubject {
  readonly kind: 'attempt';
  readonly path: TaskPath;
  readonly attempt: number;
  /** Its files, where a listing has just shown them. */
  readonly files?: AttemptFiles;
}

/** An entry of the cache. */
export interface EntrySubject {
  readonly kind: 'entry';
  readonly key: EntryKey;
  /** Tells this state of it from others, where a listing has just shown it. */
  readonly seen?: string;
}

/** A published version, withdrawn or not. */
export interface PublishedSubject {
  readonly kind: 'published';
  readonly name: string;
  readonly version: number;
  /** True where its mark was listed, false where its record was listed without one. */
  readonly withdrawn?: boolean;
}

/**
 * The thing that an object belongs to, by its name; `undefined` for objects that the index does not tell of: content, logs, pins,
 * heartbeats, leases, hints. Parts of an open attempt's metadata belong to the attempt.
 */
export function subjectOf(object: string): Subject | undefined {
  const [folder, ...parts] = object.split('/');
  switch (folder) {
    case 'runs': {
      const [flow, run, file, ...more] = parts;
      if (!areNames(flow, run) || file === undefined || more.length > 0) return undefined;
      return { kind: 'run', flow: flow as string, run: run as string };
    }
    case 'flows':
    case 'partial': {
      const [flow, run, step, task, file = '', ...more] = parts;
      const [, digits, rest = ''] = /^(0|[1-9]\d{0,15})\.(.+)$/.exec(file) ?? [];
      const attempt = Number(digits);
      if (!areNames(flow, run, step, task) || more.length > 0 || !Number.isSafeInteger(attempt))
        return undefined;
      if (folder === 'partial' && !rest.startsWith('metadata.')) return undefined;
      return { kind: 'attempt', path: { flow, run, step, task } as TaskPath, attempt };
    }
    case 'cache': {
      const key = parseEntryName(object);
      return key === undefined ? undefined : { kind: 'entry', key };
    }
    case 'names': {
      const published = parsePublishedName(object);
      return published && { kind: 'published', name: published.name, version: published.version };
    }
    default:
      return undefined;
  }
}

/** The subject without what a listing showed of it, so that it is read as it is now. */
export function unlisted(subject: Subject): Subject {
  switch (subject.kind) {
    case 'run':
      return { kind: 'run', flow: subject.flow, run: subject.run };
    case 'attempt':
      return { kind: 'attempt', path: subject.path, attempt: subject.attempt };
    case 'entry':
      return { kind: 'entry', key: subject.key };
    case 'published':
      return { kind: 'published', name: subject.name, version: subject.version };
  }
}

/** The same for what is the same subject. */
export function subjectId(subject: Subject): string {
  switch (subject.kind) {
    case 'run':
      return `run ${subject.flow}/${subject.run}`;
    case 'attempt': {
      const { flow, run, step, task } = subject.path;
      return `attempt ${flow}/${run}/${step}/${task}/${subject.attempt}`;
    }
    case 'entry':
      return `entry ${subject.key}`;
    case 'published':
      return `published ${subject.name}/${subject.version}`;
  }
}

function areNames(...names: (string | undefined)[]): boolean {
  return names.every((name) => name !== undefined && isUserName(name));
}
