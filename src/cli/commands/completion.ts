import type { Shell } from '../completion/scripts.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';

/** `stowage completion <bash|zsh|fish>` */
export const completion: CommandDeclaration = {
  name: 'completion',
  text: 'print a script by which a shell completes commands, options, paths and artifacts',
  arguments: [
    {
      form: '<shell>',
      text: 'the shell that reads the script',
      choices: ['bash', 'zsh', 'fish'] satisfies Shell[],
    },
  ],
  async run({ json, output }: Invocation, [shell]: [Shell]) {
    const { completionScript } = await import('../completion/scripts.ts');
    const script = completionScript(shell);
    if (json) await output.json({ shell, script });
    else await output.write(script);
  },
};
