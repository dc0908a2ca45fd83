import { BoundedMap } from '../async/bounded-map.ts';
import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import { StowageError } from '../errors.ts';
import { HERE } from '../format/content-ref.ts';
import type { RunDescription } from '../format/run-records.ts';
import { createRunRecord, type RunMade } from '../format/run-records.ts';
import type { CallOptions } from '../storage/contract.ts';

/** How many runs are remembered as made. */
const KNOWN_RUNS = 10_000;
const NOTHING_SAID: RunDescription = { tags: [], parameters: {}, parents: [] };

/** The runs of a flow that this process has made, or found made, with where their content goes. */
export class KnownRuns {
  readonly #flow: string;
  readonly #content: ContentAddressedStore;
  readonly #known = new BoundedMap<string, Pick<RunMade, 'rawDataPath'>>(KNOWN_RUNS);

  constructor(flow: string, content: ContentAddressedStore) {
    this.#flow = flow;
    this.#content = content;
  }

  /**
   * Makes a run, whose content goes to the place at `address` if there is one.
   *
   * @throws StowageError `RUN_EXISTS`
   */
  async create(
    run: string,
    description: RunDescription,
    address: string | undefined,
    options: CallOptions,
  ): Promise<void> {
    const rawDataPath = address && (await this.#registerPlace(address, options));
    const record = { ...description, ...(rawDataPath === undefined ? {} : { rawDataPath }) };
    const made = await createRunRecord(this.#content.storage, this.#flow, run, record, options);
    if (!made.isNew) {
      throw new StowageError(
        'RUN_EXISTS',
        `Flow ${this.#flow} has a run ${run} already. Choose another id, or open it with run(${JSON.stringify(run)}).`,
        { details: { flow: this.#flow, run } },
      );
    }
    this.#known.set(run, made);
  }

  /** The first opener of a run in a process creates created.json if absent, or reads what it says. */
  async ensure(run: string, options: CallOptions): Promise<Pick<RunMade, 'rawDataPath'>> {
    const known = this.#known.get(run);
    if (known) return known;
    const made = await createRunRecord(this.#content.storage, this.#flow, run, NOTHING_SAID, options);
    this.#known.set(run, made);
    return made;
  }

  /** What created.json keeps of an address: that of the place it leads to, which is registered; of the store itself nothing. */
  async #registerPlace(address: string, options: CallOptions): Promise<string> {
    const place = await this.#content.registerPlace(address, options);
    return place === HERE ? HERE : (await this.#content.place(place, options)).uri;
  }
}
