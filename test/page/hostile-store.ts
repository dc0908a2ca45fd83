import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromArrays } from 'apache-arrow';
import { eraseFromStore, FlowDataStore } from '../../src/index.ts';

/** Would run, turn text around or take no width where it is taken for more than text. Names hold all but controls. */
export const HOSTILE_NAME = `"><img src=x onerror=top.hacked=1><svg onload=top.hacked=2>'\u202e\u200bfdp`;
/** The same with what ends scripts and elements, links that run, templates, and controls. */
export const HOSTILE_TEXT = [
  HOSTILE_NAME,
  '</script><script>top.hacked=3</script><iframe srcdoc="<script>top.hacked=4</script>"></iframe>',
  '<a href="javascript:top.hacked=5">go</a> [go](javascript:top.hacked=6) javascript:top.hacked=7',
  '<base href="http://127.0.0.1:9/"><link rel=stylesheet href="http://127.0.0.1:9/x.css">',
  '{{constructor.constructor("top.hacked=8")()}} &#60;b&#62; &lt;b&gt; \u2066\u2069\u2028',
  '\x1b]0;title\x07\x9b31m\u009d0;t\u009c\x7f\x01\r\t',
].join('\n');
/** One line of it, as labels and reasons of pins are. */
const LINE = `${HOSTILE_NAME} <script>top.hacked=10</script> javascript:top.hacked=11`;

/** Makes a store in a folder whose every field is hostile, as far as users can set it, and gives its address. */
export async function makeHostileStore(folder: string): Promise<string> {
  const [name, text] = [HOSTILE_NAME, HOSTILE_TEXT];
  const storage = join(folder, 'store');
  const data = join(folder, 'data');
  mkdirSync(join(data, name), { recursive: true });
  for (const file of [name, `${name}.html`, `${name}.svg`, `${name}.csv`])
    writeFileSync(join(data, name, file), text);
  await using flow = await FlowDataStore.open({ flowName: name, storage });
  const run = await flow.createRun({
    runId: name,
    tags: [text, name],
    parameters: { [text]: text, [name]: { [text]: [text] } },
    code: join(data, name),
  });
  await run.pin({ reason: LINE });
  const task = { runId: name, stepName: name, taskId: name, label: LINE };
  const hostileError = (of: Error): Error => {
    of.name = text;
    of.stack = `${text}\n    at ${text} (javascript:top.hacked=12)`;
    return of;
  };
  const cause = new AggregateError([hostileError(new Error(text)), text], text);
  await flow
    .task(task, async (one) => {
      await one.saveArtifacts({ [name]: 1 });
      throw hostileError(new Error(text, { cause: hostileError(cause) }));
    })
    .catch(() => {});
  for (const [taskId, times] of [
    [name, 1],
    ['other', 2],
  ] as const)
    await flow.task({ ...task, taskId }, async (one) => {
      const more = text.repeat(times);
      await one.saveMetadata({ [text]: more, [name]: { [text]: times } });
      await one.saveArtifacts({
        [name]: { [text]: more, [name]: new Map([[text, more]]) },
        text: more,
        rows: [{ [text]: more, [name]: times }],
        arrow: tableFromArrays({ [name]: [more], [text]: [times] }),
        frame: await one.frames.fromRows([{ [name]: more, other: times }]),
        file: await one.files.fromData(name, Buffer.from(more), { mediaType: `text/html;${text}` }),
        'notes.md': await one.files.fromData(`${name}.md`, Buffer.from(more), { mediaType: 'text/markdown' }),
        directory: await one.directories.fromLocal(join(data, name)),
        elsewhere: await one.files.existing(join(data, name, name)),
        gone: { [text]: `${times} gone` },
      });
      await one.saveLogs('task', { stdout: more, stderr: more });
      const report = one.report('own', { title: LINE });
      report.text(more);
      report.html(more);
      report.table([{ [text]: more, [name]: times }]);
    });
  await flow.publish(name, {
    task: [name, name, name].join('/'),
    artifact: name,
    description: text,
    attributes: { [text]: text },
  });
  await run.finish('failed', { error: hostileError(new Error(text, { cause })) });
  const cached = flow.cachedTask({
    name,
    version: text,
    config: { [text]: text },
    run: (input: object) => ({ [text]: input }),
  });
  for (const value of [text, name]) await cached({ [text]: value }, { runId: 'cached' });
  await flow.close();
  await eraseFromStore({ store: storage, target: [name, name, name, name, 'gone'].join('/'), reason: LINE });
  return storage;
}
