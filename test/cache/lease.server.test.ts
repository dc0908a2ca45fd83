import { scratchFolder } from '../flow/fixtures.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { testLeases } from './lease-processes.ts';

describeOnPostgres(
  'processes that call one serialized task of a store in PostgreSQL',
  (server) => {
    let schemas = 0;
    testLeases(() => {
      schemas += 1;
      return { store: `${server.address()}/s${schemas}`, rawDataPath: scratchFolder() };
    });
  },
  // Each of 16 processes has its own pool.
  ['max_connections = 200'],
);
