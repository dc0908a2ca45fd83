import { printable } from '../../codec/printable-text.ts';
import type { StowageError } from '../../errors.ts';
import { usageError } from '../cli-error.ts';
import { ATTEMPT_OPTION, type CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { attemptRule, parseStorePath, pathArgument } from '../store-path.ts';

interface PublishCommandOptions {
  number?: string;
  description?: string;
  attribute?: readonly string[];
  attempt?: string;
}

/** `stowage publish <flow>/<run>/<step>/<task>[/<attempt>] <artifact> <name>` */
export const publish: CommandDeclaration = {
  name: 'publish',
  text: 'give an artifact of a task a name and the next number',
  arguments: [
    pathArgument('<path>', 4, 5),
    { form: '<artifact>', text: 'the artifact', completion: 'artifact' },
    { form: '<name>', text: 'the name that it is published under, one of the whole store' },
  ],
  options: [
    { flags: '--number <n>', text: 'the number, which must be the next one' },
    { flags: '--description <text>', text: 'what it is, for people' },
    {
      flags: '--attribute <key=value>',
      text: 'what there is to say of it for programs, as JSON or text; repeat it for more',
      repeats: true,
    },
    ATTEMPT_OPTION,
  ],
  async run(
    invocation: Invocation,
    [text, artifact, name]: [string, string, string],
    options: PublishCommandOptions,
  ) {
    const { parseMetadata } = await import('../put-arguments.ts');
    const given = parseStorePath(text, 1, 5);
    const attributes = parseMetadata(options.attribute ?? [], '--attribute');
    const version = options.number === undefined ? undefined : parseVersion(options.number);
    const { description } = options;
    const published = await withStore(invocation, async (store) => {
      const { reachTask } = await import('../reach.ts');
      const { withMeantRun } = await import('../meant-run.ts');
      return withMeantRun(invocation, store, given, async (meant) => {
        const path = await reachTask(store, meant);
        const attempt = attemptRule(path, options.attempt);
        const flow = await store.flow(path.flow);
        const { signal } = store;
        const task = await flow.getTaskDataStore(`${path.run}/${path.step}/${path.task}`, {
          attempt,
          signal,
        });
        if (!task.has(artifact))
          throw await noArtifact(`${task.flowName}/${task.pathspec}`, artifact, task.names());
        return flow.publish(name, { task, artifact, version, description, attributes, signal });
      });
    });
    if (invocation.json) return invocation.output.json({ ...published.toJSON(), key: published.key });
    await invocation.output.line(
      printable(`${name}/${published.version}: ${artifact} of ${published.source}`),
    );
  },
};

/** The number of a version, from 1 on. */
export function parseVersion(text: string): number {
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
  throw usageError(`${JSON.stringify(text)} is no version. Versions are numbers from 1 on.`, {
    version: text,
  });
}

async function noArtifact(path: string, name: string, existing: readonly string[]): Promise<StowageError> {
  const { artifactNotFound } = await import('../../views/not-found.ts');
  return artifactNotFound(path, name, existing, ' It has none at all.');
}
