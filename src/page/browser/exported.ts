import { countOf } from '../../options/figures.ts';
import { momentOfText } from '../../options/moment-text.ts';
import { hasTagsAndText } from '../../views/run-filter.ts';
import type { RunView } from '../../views/runs.ts';
import { type Answer, type Asked, addressOf, type Failure } from '../asked.ts';
import { answerFile, type ExportMark, NOT_EXPORTED } from '../exported-answers.ts';

/** What the scripts of an export call. */
interface ExportGlobals {
  stowageExport?: ExportMark;
  stowageAnswer?: (address: string, json: string) => void;
}

const globals = globalThis as ExportGlobals;

/** What the export says of itself, where the page is of one; `undefined` where a server answers. */
export const exported: ExportMark | undefined = globals.stowageExport;

/** The answer of `stowage runs --json`. */
interface Runs {
  total: number;
  unread: number;
  runs: RunView[];
}

/** Those who wait for the answer to a question, by its address. */
const waiting = new Map<string, { answer: Promise<string | undefined>; give: (json: string) => void }>();
globals.stowageAnswer = (address, json) => waiting.get(address)?.give(json);

/** The answer that the export has. Runs are those of the export, filtered as they are asked for. */
export async function exportedAnswer<T>(asked: Asked): Promise<Answer<T>> {
  const { command } = asked;
  const json = await load(addressOf(command === 'runs' ? { command } : asked));
  if (json === undefined) return { error: notExported() };
  const answer = JSON.parse(json) as { result?: unknown; error?: Failure };
  if (command === 'runs') answer.result = chosen(answer.result as Runs, asked);
  return answer as Answer<T>;
}

/** A file must not be fetched from a file, but a script may be loaded; this one hands the answer over. */
function load(address: string): Promise<string | undefined> {
  const known = waiting.get(address);
  if (known) return known.answer;
  let give: (json?: string) => void = () => {};
  const answer = new Promise<string | undefined>((resolve) => {
    give = resolve;
  });
  waiting.set(address, { answer, give });
  const script = document.createElement('script');
  // Without an answer by then there is none.
  const end = (): void => {
    script.remove();
    waiting.delete(address);
    give();
  };
  script.onload = end;
  script.onerror = end;
  script.src = answerFile(address);
  document.head.append(script);
  return answer;
}

function notExported(): Failure {
  const { runs, tasksOfRun } = exported as ExportMark;
  const these = runs === 1 ? 'one run,' : `${runs} runs, each`;
  const message =
    tasksOfRun === null
      ? `This is not in this export, which has ${countOf(runs, 'run')}.`
      : `This is not in this export, which has ${these} with the pages of ${countOf(tasksOfRun, 'task')} at most.`;
  return { code: NOT_EXPORTED, message };
}

function chosen(all: Runs, { args: [flow] = [], options = {} }: Asked): Runs {
  const { tag, status, since, text } = options as Readonly<Record<string, string | undefined>>;
  const sinceMs = momentOfText(since ?? '', Date.now()) ?? Number.NEGATIVE_INFINITY;
  const filter = { tags: tag === undefined ? [] : [tag], text };
  const runs = all.runs.filter(
    (run) =>
      (flow ?? run.flow) === run.flow &&
      (status ?? run.status) === run.status &&
      !(Date.parse(run.createdAt) < sinceMs) && // a time that is not known passes
      hasTagsAndText(run, filter),
  );
  return { ...all, runs };
}
