import { isStowageError } from '../../errors.ts';
import type { RetentionPolicy } from '../../maintenance/retention/policy.ts';
import { checkPolicy } from '../../maintenance/stored-policy.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { usageError } from '../cli-error.ts';
import { checkInput, readInput, STDIN } from '../files/input-file.ts';

/**
 * Reads a policy from a file.
 *
 * @throws CliError `INPUT_FAILED` where it cannot be read, or is no JSON; `USAGE` for what is no policy
 */
export async function readPolicyFile(file: string, options: CallOptions): Promise<RetentionPolicy> {
  await checkInput(file);
  const policy = await readInput(file, 'json', options);
  try {
    checkPolicy(policy);
    return policy;
  } catch (error) {
    if (!isStowageError(error, 'INVALID_ARGUMENT', 'INVALID_NAME')) throw error;
    const what = file === STDIN ? 'The standard input' : file;
    throw usageError(`${what} is no policy: ${error.message}`, { ...error.details, path: file });
  }
}
