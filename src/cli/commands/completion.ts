import { completionScript, type Shell } from '../completion/scripts.ts';
import type { Invocation } from '../invocation.ts';

/** `stowage completion <bash|zsh|fish>` */
export async function completion({ json, output }: Invocation, shell: Shell): Promise<void> {
  const script = completionScript(shell);
  if (json) await output.json({ shell, script });
  else await output.write(script);
}
