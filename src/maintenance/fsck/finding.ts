import type { ContentKey } from '../../format/content-names.ts';

/** The faults that a check finds. */
export type Problem =
  /** An object that a record names, or that belongs beside others, is not there. */
  | 'missing'
  /** Its bytes are not those that were written: another digest, another length, no record, no envelope. */
  | 'damaged'
  /** It is whole, and of something else: it was swapped, or came to lie under another's name. */
  | 'misplaced'
  /** It is whole, and contradicts another record that is whole. */
  | 'contradiction'
  /** A newer Stowage wrote it, so that nothing can be said of it. */
  | 'newer-format'
  /** It could not be read: no permission, a storage that fails, a place that is not there. */
  | 'unreadable'
  /** A mark beside it says that somebody found it damaged, and nothing needs it any more. */
  | 'marked'
  /** Nothing refers to it, and nobody is about to: what a process left that died, or a deletion that was interrupted. */
  | 'leftover'
  /** Its name is none that a store gives. */
  | 'foreign';

/** The layers of a store. */
export type Layer =
  /** `stowage.json`, and names at the top. */
  | 'store'
  /** `elsewhere/`, and `owner.json` at other places. */
  | 'places'
  /** `gc/`: the collector's log and its lists. */
  | 'log'
  /** `runs/`: how runs began and ended. */
  | 'runs'
  /** `flows/`: the records of attempts. */
  | 'attempts'
  /** `loose/`: the records of content saved outside tasks, the code of runs among it. */
  | 'loose'
  /** `names/`: published versions. */
  | 'names'
  /** `values/`: the values that attempts keep to themselves. */
  | 'values'
  /** `partial/`: metadata, traces, checkpoints and reports of attempts under way. */
  | 'partial'
  /** `logs/` */
  | 'logs'
  /** `pins/` and `beats/` of open sessions. */
  | 'sessions'
  /** `cache/`: entries and leases. */
  | 'cache'
  /** `hints/` */
  | 'hints'
  /** `erasures/`: what was erased, and how far each erasure is. */
  | 'erasures'
  /** `data/`, `manifests/`, `packs/` and `plain/`, in the store and at other places. */
  | 'content';

/** How bad a finding is. */
export type Severity =
  /** Something that was saved cannot be read any more. */
  | 'lost'
  /** An object is not whole, and nothing is lost yet: another copy serves, or nothing refers to it so far. */
  | 'damaged'
  /** Nobody can tell: it could not be read. */
  | 'unknown'
  /** No harm: it can stay, or go. A store with such findings alone is sound. */
  | 'notice';

/** What can be done about a finding. */
export type Remedy =
  /** Put the bytes back from a copy of the store; without one, what the finding concerns is lost. */
  | 'restore'
  /** Mark it as damaged: another copy serves, or the next save of the content writes one. */
  | 'mark'
  /** Delete it, which costs nothing but time: an entry of the cache, a hint, a leftover. */
  | 'delete'
  /** Write it anew from what other records say. */
  | 'recreate'
  /** Leave it to the collector. */
  | 'collect'
  /** Upgrade Stowage. */
  | 'upgrade'
  /** Check again once it can be read. */
  | 'retry'
  /** Nothing: it is somebody else's, or of no harm. */
  | 'leave';

/** Something that a finding concerns: an artifact, a report, a run, the result of a cached task. Members that are not known are absent. */
export interface Concern {
  readonly flow?: string;
  readonly run?: string;
  readonly step?: string;
  readonly task?: string;
  readonly attempt?: number;
  /** The session outside tasks that keeps it, in place of the names above. */
  readonly session?: string;
  /** The name of the artifact, report, trace, log or file of the run's code, as `kind` says. */
  readonly name?: string;
  /**
   * - `artifact`: the value of an artifact, or a content saved outside a task
   * - `reference`: a file, directory or data frame that the artifact `name` refers to
   * - `table`: the list of all artifacts of the attempt
   * - `record`: the attempt, the run or the session as a whole
   * - `cache entry`: the result of a cached task, whose key `name` is
   * - `published version`: what `name` is, as `<name>/<version>`
   */
  readonly kind:
    | 'artifact'
    | 'reference'
    | 'table'
    | 'report'
    | 'trace'
    | 'checkpoint'
    | 'metadata'
    | 'log'
    | 'code'
    | 'record'
    | 'cache entry'
    | 'published version';
}

/** One thing that is wrong with a store. Plain data: `JSON.stringify` tells all of it. */
export interface Finding {
  readonly problem: Problem;
  readonly layer: Layer;
  readonly severity: Severity;
  /** Where the object lies: `''` is the store itself, else the id of another place. */
  readonly place: string;
  /** The name of the object that is not as it should be, or that should be there. */
  readonly object: string;
  /** The content that it is of, or holds a part of. Absent where it is of none. */
  readonly key?: ContentKey;
  /** The copy of `key` that led to it, where `object` is a pack or a plain object that this one names. */
  readonly copy?: string;
  /** A sentence for people: what is wrong, and with what. */
  readonly message: string;
  readonly remedy: Remedy;
  /** What it concerns, 100 at most. */
  readonly concerns: readonly Concern[];
  /** How many things it concerns in all. */
  readonly concerned: number;
}
