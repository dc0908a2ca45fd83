import { ageOf } from '../../options/figures.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStoreAddress } from '../store.ts';

/** `stowage policy show` */
export const policyShow: CommandDeclaration = {
  name: 'show',
  text: 'print the policy that the store has, as JSON',
  async run(invocation: Invocation) {
    const { readRetentionPolicy } = await import('../../maintenance/stored-policy.ts');
    const { signal, output, json } = invocation;
    const stored = await withStoreAddress(invocation, (store) => readRetentionPolicy({ store, signal }));
    if (!stored && !json)
      return invocation.note('the store has no policy. To save one: stowage policy set <file>');
    await output.json(stored?.policy ?? null);
    if (!stored) return;
    const { at, owner } = stored;
    invocation.note(`saved ${ageOf(at)} by process ${owner.pid} on ${owner.host}.`);
  },
};

/** `stowage policy set <file>` */
export const policySet: CommandDeclaration = {
  name: 'set',
  text: 'save a policy with the store, in place of the one that it has',
  arguments: [{ form: '<file>', text: 'a JSON file, or - for the standard input', completion: 'file' }],
  async run(invocation: Invocation, [file]: [string]) {
    const { readPolicyFile } = await import('../collection/policy-file.ts');
    const { saveRetentionPolicy } = await import('../../maintenance/stored-policy.ts');
    const { signal } = invocation;
    const policy = await readPolicyFile(file, { signal });
    await withStoreAddress(invocation, (store) => saveRetentionPolicy({ store, policy, signal }));
    if (invocation.json) return invocation.output.json(policy);
    await invocation.output.line('saved');
    invocation.note('nothing was deleted. What goes by it: stowage gc');
  },
};

/** `stowage policy rm` */
export const policyRm: CommandDeclaration = {
  name: 'rm',
  text: 'take the policy away: the store keeps everything',
  async run(invocation: Invocation) {
    const { readRetentionPolicy, saveRetentionPolicy } = await import('../../maintenance/stored-policy.ts');
    const { signal, output, json } = invocation;
    const removed = await withStoreAddress(invocation, async (store) => {
      const stored = await readRetentionPolicy({ store, signal });
      if (stored) await saveRetentionPolicy({ store, policy: null, signal });
      return stored !== undefined;
    });
    if (json) return output.json({ removed });
    if (!removed) return invocation.note('the store has no policy; nothing was changed.');
    await output.line('removed');
  },
};
