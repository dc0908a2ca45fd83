import { printable } from '../../codec/printable-text.ts';
import type { RunPath } from '../../views/paths.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withStore } from '../store.ts';
import { parseStorePath, pathArgument } from '../store-path.ts';

/** Whether a run is pinned by now, and whether that is new. */
interface PinnedRun {
  flow: string;
  run: string;
  pinned: boolean;
  reason?: string;
  changed: boolean;
}

/** `stowage pin <flow>/<run>` */
export const pin: CommandDeclaration = {
  name: 'pin',
  text: 'keep a run, whatever retention would delete',
  arguments: [pathArgument('<path>', 2, 2)],
  options: [{ flags: '--reason <text>', text: 'why, for people' }],
  async run(invocation: Invocation, [text]: [string], { reason }: { reason?: string }) {
    if (reason?.trim() === '')
      throw usageError('--reason is empty: say why the run is kept, or leave it out.');
    await setPin(invocation, text, { pinned: true, ...(reason === undefined ? {} : { reason }) });
  },
};

/** `stowage unpin <flow>/<run>` */
export const unpin: CommandDeclaration = {
  name: 'unpin',
  text: 'let retention decide about a run again',
  arguments: [pathArgument('<path>', 2, 2)],
  async run(invocation: Invocation, [text]: [string]) {
    await setPin(invocation, text, { pinned: false });
  },
};

async function setPin(
  invocation: Invocation,
  text: string,
  wanted: { pinned: boolean; reason?: string },
): Promise<void> {
  const given = parseStorePath(text, 1, 2);
  const set = await withStore(invocation, async (store) => {
    const { reachRun } = await import('../reach.ts');
    const { withMeantRun } = await import('../meant-run.ts');
    return withMeantRun(invocation, store, given, async (meant) =>
      setPinAt(store, await reachRun(store, meant), wanted),
    );
  });
  const { output } = invocation;
  if (invocation.json) return output.json(set);
  const { flow, run, pinned, changed } = set;
  const name = printable(`${flow}/${run}`);
  if (!changed)
    return output.line(`${name} is ${pinned ? 'pinned' : 'not pinned'} already; nothing was changed.`);
  await output.line(pinned ? `${name} is pinned: retention leaves it` : `${name} is not pinned any more`);
}

async function setPinAt(
  store: OpenStore,
  { flow, run }: RunPath,
  { pinned, reason }: { pinned: boolean; reason?: string },
): Promise<PinnedRun> {
  const { isStowageError } = await import('../../errors.ts');
  const { signal } = store;
  const handle = (await store.flow(flow)).run(run);
  try {
    const { pin: before } = await handle.info({ signal });
    const isSame = (before?.pinned ?? false) === pinned && before?.reason === reason;
    if (!isSame) await (pinned ? handle.pin({ reason, signal }) : handle.unpin({ signal }));
    return { flow, run, pinned, ...(reason === undefined ? {} : { reason }), changed: !isSame };
  } catch (failure) {
    if (!isStowageError(failure, 'RUN_NOT_FOUND')) throw failure;
    const { missing } = await import('../../views/not-found.ts');
    throw (await missing(store, { flow, run })) ?? failure;
  }
}
