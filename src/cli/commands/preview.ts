import { shell } from '../../codec/shell-command.ts';
import type { ValueBounds } from '../../views/preview.ts';
import { usageError } from '../cli-error.ts';
import { ATTEMPT_OPTION, type CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { parseStorePath, pathArgument, splitArtifact } from '../store-path.ts';
import { parseBytes, parseLimit } from '../ui/sizes.ts';

interface PreviewOptions {
  attempt?: string;
  offset: string;
  limit: string;
  maxBytes: string;
  entry?: string;
}

/** The most rows of a page. */
const MAX_LIMIT = 1000;

/** `stowage preview <flow>/<run>/<step>/<task>[/<attempt>] <artifact>` */
export const preview: CommandDeclaration = {
  name: 'preview',
  text: 'show the beginning of an artifact, or what it amounts to: values, text, numbers, rows, files',
  arguments: [
    pathArgument('<path>', 4, 5),
    { form: '[artifact]', text: 'its name, unless it stands behind the path', completion: 'artifact' },
  ],
  options: [
    ATTEMPT_OPTION,
    { flags: '--offset <number>', text: 'the first row of a table, or file of a directory', default: '0' },
    {
      flags: '-n, --limit <count>',
      text: `how many rows or files at most, up to ${MAX_LIMIT}`,
      default: '20',
    },
    { flags: '--max-bytes <size>', text: 'larger values are not loaded', default: '64MiB' },
    { flags: '--entry <file>', text: 'this file of a directory' },
  ],
  async run(invocation: Invocation, [given, named]: [string, string?], options: PreviewOptions) {
    const { path: text, artifact: behind } = splitArtifact(given);
    const artifact = named ?? behind;
    if (artifact === undefined)
      throw usageError(`Name the artifact to show; those there are: ${shell`stowage show ${text}`}`);
    if (named !== undefined && behind !== undefined)
      throw usageError('The path names an artifact, and another follows it; name one of them.');
    const path = parseStorePath(text, 1, 5);
    if (!/^\d{1,15}$/.test(options.offset))
      throw usageError(`--offset is a number from 0 on, not ${JSON.stringify(options.offset)}.`);
    const choice = {
      offset: Number(options.offset),
      limit: Math.min(parseLimit(options.limit), MAX_LIMIT),
      entry: options.entry,
    };
    const maxBytes = parseBytes(options.maxBytes, '--max-bytes');
    await withStore(invocation, async (store) => {
      const { reachTask } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      const { noArtifact, openTask } = await import('../open-task.ts');
      const { attempt } = options;
      const opening = { allowNotDone: true, ...(attempt === undefined ? {} : { attempt }) };
      const task = await withMeantRun(invocation, store, path, async (meant) =>
        openTask(store, await reachTask(store, meant), opening),
      );
      if (!task.has(artifact)) throw await noArtifact(task, artifact);
      const { previewArtifact } = await import('../../views/preview.ts');
      const shown = await previewArtifact(store, task, artifact, choice, boundsOf(invocation, maxBytes));
      if (invocation.json) return invocation.output.json(shown);
      const { printing, printPreview } = await import('../preview/print-preview.ts');
      await printPreview(printing(invocation), shown);
    });
  },
};

/** A process that runs many commands at once has room for values that they share. */
function boundsOf({ shared }: Invocation, maxBytes: number): ValueBounds {
  const room = shared?.values;
  if (!room) return { maxBytes, take: async () => () => {} };
  return {
    maxBytes: Math.min(maxBytes, room.maxBytes),
    take: (bytes, signal) => room.take(bytes, signal),
  };
}
