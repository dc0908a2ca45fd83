import { checkCache } from './check-cache.ts';
import { checkCollectorLog } from './check-collector-log.ts';
import { checkContent } from './check-content.ts';
import { checkErasures } from './check-erasures.ts';
import { checkHints } from './check-hints.ts';
import { checkLogs } from './check-logs.ts';
import { checkOpenSessions } from './check-open-sessions.ts';
import { checkPartial } from './check-partial.ts';
import { checkPlaces } from './check-places.ts';
import { checkPublished } from './check-published.ts';
import { checkRuns } from './check-runs.ts';
import { checkAttempts, checkLoose } from './check-sessions.ts';
import { checkStoreFile } from './check-store-file.ts';
import { checkValues } from './check-values.ts';
import type { Checking } from './checking.ts';
import type { Finding, Layer } from './finding.ts';

/** A step of a check. */
export interface Step {
  layer: Layer;
  check: (checking: Checking) => AsyncGenerator<Finding, void>;
  /** Of a flow or a run as well, rather than of the store as a whole. */
  isOfPart: boolean;
}

/** What a check does, in this order: records before what they want, so that all that was there when a record was read is found. */
export const STEPS: readonly Step[] = [
  { layer: 'store', check: checkStoreFile, isOfPart: true },
  { layer: 'places', check: checkPlaces, isOfPart: true },
  { layer: 'log', check: checkCollectorLog, isOfPart: false },
  { layer: 'runs', check: checkRuns, isOfPart: true },
  { layer: 'attempts', check: checkAttempts, isOfPart: true },
  { layer: 'loose', check: checkLoose, isOfPart: true },
  { layer: 'names', check: checkPublished, isOfPart: false },
  { layer: 'partial', check: checkPartial, isOfPart: true },
  { layer: 'logs', check: checkLogs, isOfPart: true },
  { layer: 'cache', check: checkCache, isOfPart: false },
  { layer: 'sessions', check: checkOpenSessions, isOfPart: false },
  { layer: 'hints', check: checkHints, isOfPart: false },
  { layer: 'erasures', check: checkErasures, isOfPart: false },
  { layer: 'values', check: checkValues, isOfPart: true },
  { layer: 'content', check: checkContent, isOfPart: true },
];
