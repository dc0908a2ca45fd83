import { createHook, executionAsyncId } from 'node:async_hooks';

/** A frame of our own code, as `content/content-writer.ts:saveAll`. */
export type Frame = string;

/** Where something asynchronous began: the frames there, the innermost first, and within what. */
interface Beginning {
  frames: Frame[];
  within: number;
}

/**
 * Tells by which of our own functions a call was reached, across awaits of every kind. V8 itself loses the way at a promise that two
 * wait for, as they do of whatever takes turns or is shared.
 */
export class Ways {
  readonly #beginnings = new Map<number, Beginning>();
  readonly #hook = createHook({
    init: (id) => {
      this.#beginnings.set(id, { frames: ownFrames(), within: executionAsyncId() });
    },
  });

  /** Runs `work` with its ways noted, which takes a multiple of its time. */
  async note(work: () => Promise<unknown>): Promise<void> {
    this.#hook.enable();
    try {
      await work();
    } finally {
      this.#hook.disable();
      this.#beginnings.clear();
    }
  }

  /** The way to where this is called, the innermost frame first. */
  here(): Frame[] {
    const way = ownFrames();
    let beginning = this.#beginnings.get(executionAsyncId());
    while (beginning) {
      // The function that waited is the last one so far, and the first one where it began to wait.
      const joint = way.at(-1) === beginning.frames[0] ? 1 : 0;
      way.push(...beginning.frames.slice(joint));
      beginning = this.#beginnings.get(beginning.within);
    }
    return way;
  }
}

function ownFrames(): Frame[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = Number.POSITIVE_INFINITY;
  Error.prepareStackTrace = (_, sites) => sites.flatMap(frameOf);
  const at: { stack?: Frame[] } = {};
  Error.captureStackTrace(at);
  const frames = at.stack ?? [];
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  return frames;
}

/** Functions that wait are left out: they were noted when they began to. */
function frameOf(site: NodeJS.CallSite & { isAsync?: () => boolean }): Frame[] {
  const file = /\/src\/(.+)$/.exec(site.getFileName() ?? '')?.[1];
  if (file === undefined || site.isAsync?.()) return [];
  return [`${file}:${site.getFunctionName() ?? 'function'}`];
}
