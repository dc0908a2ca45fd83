import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startS3 } from '../cache/s3-server.mjs';
import { startPostgres } from './postgres-server.mjs';

/**
 * The kinds of store that there are on this machine, each with the options of a new store below a folder, as `FlowDataStore.open` takes them. Servers run until `stop`; one
 * that is not installed is left out, and the log says so.
 */
export async function startKinds(folder, log) {
  mkdirSync(folder, { recursive: true });
  const kinds = [
    { name: 'folder', place: (id) => ({ storage: join(folder, id) }) },
    { name: 'sqlite:', place: (id) => ({ storage: `sqlite:${join(folder, `${id}.db`)}` }) },
  ];
  const postgres = await startPostgres();
  if (postgres) {
    kinds.push({
      name: 'postgres:',
      place: (id) => ({
        storage: `${postgres.address}/${id.replaceAll('-', '_')}`,
        rawDataPath: join(folder, `${id}-content`),
      }),
    });
  } else log("without PostgreSQL: Debian's package is postgresql");
  const s3 = await startS3(join(folder, 's3'));
  if (s3) {
    const place = (id) => ({ storage: s3.address.replace('/store?', `/${id}?`) });
    kinds.push({ name: 'S3', env: s3.env, place });
  } else log('without S3: `npm run servers` installs versitygw');
  return {
    kinds,
    stop: async () => {
      s3?.stop();
      await postgres?.stop();
    },
  };
}
