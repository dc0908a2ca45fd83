import { StowageError } from '../../errors.ts';
import type { AzureTokenCredential } from './options.ts';

/** The parts of `@azure/identity` that are used here. */
interface IdentitySdk {
  DefaultAzureCredential: new () => AzureTokenCredential;
}

/**
 * The credential that looks in all the usual places: the environment, managed identities, `az login`. It belongs to a
 * package that is only needed for it.
 *
 * @throws StowageError `STORAGE_CREDENTIALS` where the package is not installed
 */
export async function defaultCredential(
  load: () => Promise<IdentitySdk> = () => import('@azure/identity'),
): Promise<AzureTokenCredential> {
  let sdk: IdentitySdk;
  try {
    sdk = await load();
  } catch (cause) {
    throw new StowageError(
      'STORAGE_CREDENTIALS',
      'No credentials for Azure were given, and to find some (az login, managed identities) the package @azure/identity ' +
        'is needed, which cannot be loaded here: npm install @azure/identity. Or set AZURE_STORAGE_CONNECTION_STRING or ' +
        'AZURE_STORAGE_KEY, or pass connectionString, accountKey, sasToken or credential.',
      { details: { package: '@azure/identity' }, cause },
    );
  }
  return new sdk.DefaultAzureCredential();
}
