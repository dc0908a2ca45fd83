import { isStowageError, type StowageError, type StowageErrorCode } from '../../errors.ts';
import { OTHER_MANIFEST } from '../../format/manifest.ts';
import type { Concern, Finding, Layer, Problem, Remedy, Severity } from './finding.ts';

/** After these there is nothing more to check, or nobody who wants it. */
const ENDS: readonly StowageErrorCode[] = [
  'ABORTED',
  'NO_SUCH_STORE',
  'STORE_GONE',
  'NO_SUCH_BUCKET',
  'STORAGE_CLOSED',
  'STORAGE_CREDENTIALS',
  'STORAGE_UNAVAILABLE',
];
/** A finding tells so many of the things that it concerns. */
export const MAX_CONCERNS = 100;

/** The fault that an error found; throws the error again where it is none of what is checked. */
export function problemOf(error: unknown): { problem: Problem; error: StowageError } {
  if (!isStowageError(error) || ENDS.includes(error.code)) throw error;
  return { problem: problemOfCode(error), error };
}

function problemOfCode({ code, details }: StowageError): Problem {
  switch (code) {
    case 'RECORD_DAMAGED':
      return details.isOther === true ? 'misplaced' : 'damaged';
    case 'CONTENT_DAMAGED':
      return details.reason === OTHER_MANIFEST ? 'misplaced' : 'damaged';
    case 'NOT_A_STORE':
    case 'OBJECT_TOO_LARGE':
      return 'damaged';
    case 'CONTENT_NOT_FOUND':
    case 'PLACE_NOT_FOUND':
      return 'missing';
    case 'PLACE_NOT_OURS':
      return 'contradiction';
    case 'UNSUPPORTED_FORMAT':
      return 'newer-format';
    default:
      return 'unreadable';
  }
}

/** What is known of a fault. */
export interface Fault {
  layer: Layer;
  problem: Problem;
  object: string;
  message: string;
  /** Default: the store itself. */
  place?: string | undefined;
  key?: string | undefined;
  copy?: string | undefined;
  /** How bad it is, where it is certain that something is wrong. Default `damaged`. */
  severity?: Severity | undefined;
  /** What can be done, where nothing else follows from the problem. Default `restore`. */
  remedy?: Remedy | undefined;
  concerns?: readonly Concern[] | undefined;
  /** Default: as many as are told. */
  concerned?: number | undefined;
}

/** The finding of a fault. */
export function findingOf(fault: Fault): Finding {
  const { problem, layer, object, key, copy, message, place = '', concerns = [] } = fault;
  const { severity = 'damaged', remedy = 'restore' } = fault;
  return {
    problem,
    layer,
    severity: SEVERITY_OF[problem] ?? severity,
    place,
    object,
    ...(key === undefined ? {} : { key }),
    ...(copy === undefined || copy === object ? {} : { copy }),
    message,
    remedy: REMEDY_OF[problem] ?? remedy,
    concerns: concerns.slice(0, MAX_CONCERNS),
    concerned: fault.concerned ?? concerns.length,
  };
}

/** The same whatever it is that has the problem. */
const SEVERITY_OF: Readonly<Partial<Record<Problem, Severity>>> = {
  'newer-format': 'unknown',
  unreadable: 'unknown',
  marked: 'notice',
  leftover: 'notice',
};

const REMEDY_OF: Readonly<Partial<Record<Problem, Remedy>>> = {
  'newer-format': 'upgrade',
  unreadable: 'retry',
  marked: 'collect',
  foreign: 'leave',
};
