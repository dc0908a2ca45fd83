import type { MendedStep, RepairStep } from '../../maintenance/fsck/repair/repair-steps.ts';
import { countOf, formatCount } from '../../options/figures.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { textOf } from './print-findings.ts';

const DONE: Readonly<Record<MendedStep['how'], string>> = {
  restored: 'restored',
  rewritten: 'written anew',
  marked: 'marked as damaged',
  deleted: 'deleted',
};

/** Tells the steps of a repair one after the other, as they come: in lines, or as the document of `--json`. */
export class RepairPrinter {
  readonly #invocation: Invocation;
  readonly #isDone: boolean;
  readonly #counts = { mended: 0, lost: 0, left: 0 };

  /** @param isDone the repair changes the store, rather than telling what it would do */
  constructor(invocation: Invocation, isDone: boolean) {
    this.#invocation = invocation;
    this.#isDone = isDone;
  }

  async print(step: RepairStep): Promise<void> {
    const { output, json } = this.#invocation;
    const { mended, lost, left } = this.#counts;
    const begin = mended + lost + left === 0 ? '{"steps":[\n' : ',\n';
    this.#counts[step.outcome] += 1;
    if (json) await output.jsonPiece(begin + JSON.stringify(step));
    else if (step.outcome === 'mended') await output.sentence(this.#mended(step));
    else if (step.outcome === 'lost') await output.sentence(`lost: ${textOf(step)}: ${step.why}`, 'red');
    else await output.sentence(`left: ${step.object}: ${step.why}`, 'yellow');
  }

  /** The exit code tells what the store is like now. */
  async end(): Promise<void> {
    const { output, json } = this.#invocation;
    const { mended, lost, left } = this.#counts;
    const begin = mended + lost + left === 0 ? '{"steps":[' : '';
    if (json)
      await output.jsonPiece(
        `${begin}\n],"summary":${JSON.stringify({ ...this.#counts, dryRun: !this.#isDone })}}\n`,
      );
    else await output.sentence(this.#summary());
    if (lost > 0 || (mended > 0 && !this.#isDone)) this.#invocation.exitCode = EXIT.corruption;
    else if (left > 0) this.#invocation.exitCode = EXIT.partial;
    if (mended > 0 && !this.#isDone) this.#invocation.note('nothing was changed. To do it: --yes');
  }

  #mended({ how, object, from }: MendedStep): string {
    const source = from === undefined ? '' : ` from ${from}`;
    return `${this.#isDone ? '' : 'would be '}${DONE[how]}: ${object}${source}`;
  }

  #summary(): string {
    const { mended, lost, left } = this.#counts;
    if (mended + lost + left === 0) return 'nothing to mend.';
    const rest = [
      ...(lost > 0 ? [`${formatCount(lost)} lost`] : []),
      ...(left > 0 ? [`${formatCount(left)} left as they are`] : []),
    ];
    const done = `${countOf(mended, 'object')} ${this.#isDone ? 'mended' : 'to be mended'}`;
    return `${[done, ...rest].join(', ')}.`;
  }
}
