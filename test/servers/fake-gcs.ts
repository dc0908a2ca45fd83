import { findBinary } from './binaries.ts';
import { type RunningServer, startServer } from './running-server.ts';

/** Whether there is a fake-gcs-server to start; `npm run servers` installs it. */
export function hasFakeGcs(): boolean {
  return findBinary('fake-gcs-server') !== undefined;
}

/** Starts fake-gcs-server with its data in memory. It takes any credentials, or none. */
export async function startFakeGcs(): Promise<RunningServer> {
  const command = findBinary('fake-gcs-server');
  if (!command) throw new Error('There is no fake-gcs-server; npm run servers installs it.');
  return startServer({
    name: 'fake-gcs-server',
    command,
    args: (port) => [
      ...['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-backend', 'memory'],
      // What it tells clients to go on with: the sessions of resumable uploads.
      ...['-external-url', `http://127.0.0.1:${port}`, '-public-host', `127.0.0.1:${port}`],
    ],
    isUp: async (url) =>
      (await fetch(`${url}/storage/v1/b?project=test`).catch(() => undefined))?.ok ?? false,
  });
}
