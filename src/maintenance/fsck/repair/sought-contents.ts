import type { ContentKey } from '../../../format/content-names.ts';
import { HERE } from '../../../format/content-ref.ts';
import type { Concern, Finding } from '../finding.ts';
import { ChunkSalvage } from './chunk-salvage.ts';
import type { ContentMender, ContentSource, NeededContent } from './content-mender.ts';
import { ownSource } from './description-builder.ts';
import { listKept } from './kept-rows.ts';
import type { RepairContext } from './repair-context.ts';
import { about, type LostStep, type RepairStep } from './repair-steps.ts';

/** So many contents wait for a search through all stores. */
const MAX_PENDING = 1_000;

/** A content that is where nothing leads to, if it is anywhere. */
interface Pending {
  readonly needed: NeededContent;
  readonly finding: Finding;
  /** What is lost with it; all that the finding concerns, unless it is told. */
  readonly concerns?: readonly Concern[];
  readonly why: string;
}

/** Contents that are not where their names lead to: they are looked for together, as a search reads all stores. */
export class SoughtContents {
  readonly #context: RepairContext;
  readonly #contents: ContentMender;
  #pending: Pending[] = [];

  constructor(context: RepairContext, contents: ContentMender) {
    this.#context = context;
    this.#contents = contents;
  }

  /** So many wait that they are to be looked for. */
  get isFull(): boolean {
    return this.#pending.length >= MAX_PENDING;
  }

  add(pending: Pending): void {
    this.#pending.push(pending);
  }

  /** Looks through all stores for what no name leads to: chunks in packs of other contents, and small values of other attempts. */
  async *search(): AsyncGenerator<RepairStep> {
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length === 0) return;
    const salvage = new ChunkSalvage(this.#context);
    const values = new Map<ContentKey, ContentSource[]>();
    for (const { needed } of pending) {
      if (!(await salvage.note(needed.place, needed.key))) values.set(needed.key, []);
    }
    await salvage.search();
    await this.#findValues(values);
    for (const { needed, finding, why, concerns } of pending) {
      const chunks = salvage.sourceOf(needed.place, needed.key);
      const further = [...(chunks ? [chunks] : []), ...(values.get(needed.key) ?? [])];
      const mended = further.length === 0 ? undefined : await this.#contents.mend(needed, further);
      if (mended && mended.outcome !== 'lost') {
        const from = mended.outcome === 'mended' ? { from: mended.from } : {};
        yield { ...about(finding), outcome: 'mended', how: 'restored', key: needed.key, ...from };
      } else yield* this.#lost(finding, needed, mended?.why ?? why, concerns);
    }
  }

  async #findValues(wanted: ReadonlyMap<ContentKey, ContentSource[]>): Promise<void> {
    if (wanted.size === 0) return;
    const { target, targetId, others, options } = this.#context;
    const uri = target.storage.uri('x').slice(0, -2);
    for (const source of [{ store: target, id: targetId, uri }, ...others]) {
      for await (const { listed, artifacts } of listKept(source.store, options, ['flows/'])) {
        for (const row of artifacts) {
          const found = row.own && wanted.get(row.key);
          if (found && found.length < 4) found.push(ownSource(source, listed.values ?? '', row, options));
        }
      }
    }
  }

  /** All that names the content, by a reading of all sessions where the finding does not tell all. */
  async *#lost(
    finding: Finding,
    { key, place }: NeededContent,
    why: string,
    told: readonly Concern[] | undefined,
  ): AsyncGenerator<LostStep> {
    const { object } = finding;
    const concerns = told ?? finding.concerns;
    if (told || finding.concerned <= finding.concerns.length) {
      for (const concern of concerns) yield { ...concern, outcome: 'lost', key, object, place, why };
      return;
    }
    const { target, options } = this.#context;
    const isNamed = (of: { key: string; place?: string | undefined } | undefined): boolean =>
      of?.key === key && (of.place ?? HERE) === place;
    for await (const { listed, artifacts, reports } of listKept(target, options)) {
      const { flow, run, step, task, attempt, session } = listed.subject;
      const of = (flow === undefined ? { session } : { flow, run, step, task, attempt }) as Partial<Concern>;
      for (const { name, content, refs = [] } of artifacts) {
        const isRef = refs.some((ref) => ref.kind === 'key' && isNamed({ key: ref.name, place: ref.place }));
        const kind = isNamed(content) ? 'artifact' : 'reference';
        if (isNamed(content) || isRef) yield { ...of, name, kind, outcome: 'lost', key, object, place, why };
      }
      for (const { name, content } of reports)
        if (isNamed(content)) yield { ...of, name, kind: 'report', outcome: 'lost', key, object, place, why };
    }
  }
}
