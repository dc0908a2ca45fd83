import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { Checkpoints } from './checkpoints.ts';
import { TaskMemory, type TaskMemoryOptions } from './task-memory.ts';
import { Traces } from './traces.ts';

/** What an open attempt records for the next one, and has of those before it. */
export class TaskRecords {
  readonly traces: Traces;
  readonly checkpoints: Checkpoints;

  constructor(attempt: OpenAttempt, options: TaskMemoryOptions = {}) {
    const memory = new TaskMemory(attempt, options);
    this.traces = new Traces(memory);
    this.checkpoints = new Checkpoints(memory);
  }
}
