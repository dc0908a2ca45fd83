import type { CheckSummary } from '../../maintenance/fsck/check-store.ts';
import type { Concern, Finding, Remedy, Severity } from '../../maintenance/fsck/finding.ts';
import { countOf, formatBytes, formatCount, formatPercent } from '../../options/figures.ts';
import type { Invocation } from '../invocation.ts';
import type { Style } from '../ui/paint.ts';

/** Spaces where a line may end: a number stays with its unit. */
const NOT_IN_A_SIZE = / (?![kMGTP]?B\b)/;
/** More concerns of one finding are told as a number. */
const MAX_TOLD = 3;
/** With `--fit`, a finding takes no more, and the summary behind them fits into this. */
const MAX_FINDING_BYTES = 10_000;
const SUMMARY_BYTES = 5_000;
const STYLES: Readonly<Record<Severity, Style>> = {
  lost: 'red',
  damaged: 'yellow',
  unknown: 'yellow',
  notice: 'dim',
};

const REMEDIES: Readonly<Record<Remedy, string>> = {
  restore: 'restore it from a copy of the store',
  mark: 'the next save of the content writes it anew once it is marked as damaged',
  delete: 'it can be deleted',
  recreate: 'it can be written anew from other records',
  collect: 'stowage gc --yes deletes it',
  upgrade: 'upgrade Stowage to check it',
  retry: 'check again once it can be read',
  leave: 'nothing has to be done',
};

/** Tells findings one after the other, as they come, up to a limit: in lines, or as the document of `--json`. */
export class FindingPrinter {
  readonly #invocation: Invocation;
  readonly #limit: number;
  #told = 0;
  #more = 0;
  #bytes = 0;

  constructor(invocation: Invocation, limit: number) {
    this.#invocation = invocation;
    this.#limit = limit;
  }

  async print(finding: Finding): Promise<void> {
    const { output, json } = this.#invocation;
    const text = json ? JSON.stringify(output.fitted(finding, MAX_FINDING_BYTES)) : '';
    this.#bytes += Buffer.byteLength(text) + 2;
    // Those behind one that does not fit do not either, so that the first are told.
    if (this.#told === this.#limit || this.#more > 0 || this.#bytes > output.maxBytes - SUMMARY_BYTES) {
      this.#more += 1;
      return;
    }
    if (json) await output.jsonPiece(`${this.#told === 0 ? '{"findings":[\n' : ',\n'}${text}`);
    else await this.#lines(finding);
    this.#told += 1;
  }

  async end(summary: CheckSummary): Promise<void> {
    const { output, json } = this.#invocation;
    const begin = this.#told === 0 ? '{"findings":[' : '';
    const more = this.#more === 0 ? '' : `"more":${this.#more},`;
    if (json) {
      await output.jsonPiece(`${begin}\n],${more}"summary":${JSON.stringify(summary)}}\n`);
      return;
    }
    if (this.#more > 0)
      await output.line(`... and ${countOf(this.#more, 'finding')} more; --limit all tells them`);
    await output.sentence(summaryText(summary), undefined, NOT_IN_A_SIZE);
  }

  async #lines({ severity, problem, message, concerns, concerned, remedy }: Finding): Promise<void> {
    const { output } = this.#invocation;
    await output.sentence(`${severity}: ${problem}: ${message}`, STYLES[severity]);
    const told = concerns.slice(0, MAX_TOLD).map(textOf);
    const more = concerned - told.length;
    if (told.length > 0)
      await output.sentence(
        `  concerns ${told.join(', ')}${more > 0 ? ` and ${formatCount(more)} more` : ''}`,
      );
    if (severity !== 'notice') await output.sentence(`  ${REMEDIES[remedy]}`, 'dim');
  }
}

export function textOf({ flow, run, step, task, attempt, session, name, kind }: Concern): string {
  const path = session ?? [flow, run, step, task, attempt].filter((part) => part !== undefined).join('/');
  const what = kind === 'record' ? '' : name === undefined ? kind : `${kind} ${name}`;
  return [path, what].filter((part) => part !== '').join(' ');
}

function summaryText({ findings, objects, bytesRead, sample, seed, isSound }: CheckSummary): string {
  const part = sample < 1 ? ` (${formatPercent(sample, 1)} of contents, part ${formatCount(seed)})` : '';
  const looked = `looked at ${countOf(objects, 'object')}, read ${formatBytes(bytesRead)}${part}`;
  const found = (['lost', 'damaged', 'unknown', 'notice'] as const).flatMap((severity) => {
    const count = findings[severity];
    if (count === 0) return [];
    return [severity === 'notice' ? countOf(count, 'notice') : `${formatCount(count)} ${severity}`];
  });
  const told = found.length === 0 ? '' : `: ${found.join(', ')}`;
  return `${isSound ? 'sound' : 'not sound'}${told}; ${looked}.`;
}
