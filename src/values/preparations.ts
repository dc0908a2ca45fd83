import { isError, isInstance, messageOf } from '../errors.ts';
import { Unavailable } from './faults.ts';
import type { Serializer } from './serializer.ts';

/** Keeps which serializers are ready to work, of those that need something first. */
export class Preparations {
  private unready: readonly Serializer[] = [];
  private readonly underway = new Map<Serializer, Promise<void>>();
  private readonly failures = new Map<Serializer, Unavailable>();

  add(serializer: Serializer): void {
    if (serializer.prepare !== undefined) this.unready = [...this.unready, serializer];
  }

  /** Prepares whatever accepts one of `values`. It never fails: whoever then needs the serializer learns why it cannot work. */
  prepareFor(values: Iterable<unknown>): Promise<void> | undefined {
    if (this.unready.length === 0) return undefined;
    let needed: Set<Serializer> | undefined;
    for (const value of values) {
      for (const serializer of this.unready) {
        if (accepts(serializer, value)) needed = (needed ?? new Set()).add(serializer);
      }
    }
    return needed && this.prepareAll(needed);
  }

  prepare(serializer: Serializer): Promise<void> | undefined {
    return this.unready.includes(serializer) ? this.prepareOnce(serializer) : undefined;
  }

  async prepareAll(serializers: Iterable<Serializer> = this.unready): Promise<void> {
    await Promise.all(Array.from(serializers, (serializer) => this.prepare(serializer)));
  }

  /** The reason why a serializer cannot work, if it cannot. */
  faultOf(serializer: Serializer): Unavailable | undefined {
    if (!this.unready.includes(serializer)) return undefined;
    return this.failures.get(serializer) ?? notPrepared();
  }

  private prepareOnce(serializer: Serializer): Promise<void> {
    const before = this.underway.get(serializer);
    if (before !== undefined) return before;
    const work = this.attempt(serializer).finally(() => this.underway.delete(serializer));
    this.underway.set(serializer, work);
    return work;
  }

  private async attempt(serializer: Serializer): Promise<void> {
    try {
      await serializer.prepare?.();
      this.unready = this.unready.filter((other) => other !== serializer);
    } catch (fault) {
      this.failures.set(serializer, asUnavailable(fault));
    }
  }
}

function accepts(serializer: Serializer, value: unknown): boolean {
  try {
    return serializer.accepts(value);
  } catch {
    // It is asked again when the value is serialized, and what it throws is reported there, with the artifact's name.
    return false;
  }
}

function asUnavailable(fault: unknown): Unavailable {
  if (isInstance(fault, Unavailable)) return fault;
  return new Unavailable(
    isError(fault) ? messageOf(fault) : 'what it needs could not be prepared',
    'See the cause.',
    fault,
  );
}

function notPrepared(): Unavailable {
  return new Unavailable(
    'it is not prepared',
    'Await `prepareToSave` or `prepareToLoad` of its registry before.',
  );
}
