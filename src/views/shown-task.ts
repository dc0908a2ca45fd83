import type { LogName } from '../format/log-names.ts';
import type { AttemptSummary } from './attempts.ts';
import type { FrameView } from './data-frames.ts';
import type { PartialRecordsView } from './partial-records.ts';
import type { ReportView } from './reports.ts';

/** A task as `show --json` tells it: all its attempts, and one of them in full. */
export interface ShownTask extends PartialRecordsView {
  flow: string;
  run: string;
  step: string;
  task: string;
  /** The attempt that is told in full; what follows the attempts is of it. */
  attempt: number;
  /** Oldest first. */
  attempts: AttemptSummary[];
  frames: FrameView[];
  logs: (LogName & { bytes: number })[];
  reports: ReportView[];
}
