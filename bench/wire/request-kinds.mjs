/** What S3 charges for, at the list prices of us-east-1, S3 Standard: dollars for one request. Deletes and aborts are free. */
const DOLLARS_TO_WRITE_OR_LIST = 0.005 / 1000;
const DOLLARS_TO_READ = 0.0004 / 1000;
const READS = ['GET', 'HEAD'];
const FREE = ['DELETE', 'ABORT'];

/** What a request on the wire is for, by the service's own name of it: `PUT`, `GET`, `LIST`, ... */
export const KIND_OF = {
  s3({ method, path }) {
    const query = new URL(path, 'http://s3').searchParams;
    if (method === 'GET' && (query.has('list-type') || query.has('prefix'))) return 'LIST';
    if (method === 'DELETE' && query.has('uploadId')) return 'ABORT';
    if (method === 'PUT' && query.has('uploadId')) return 'PUT part';
    return method;
  },
  azure({ method, path }) {
    const comp = new URL(path, 'http://azure').searchParams.get('comp');
    if (method === 'GET' && comp === 'list') return 'LIST';
    return comp === null ? method : `${method} ${comp}`;
  },
  gcs({ method, path }) {
    const { pathname, searchParams: query } = new URL(path, 'http://gcs');
    if (method === 'GET' && pathname.endsWith('/o')) return 'LIST';
    if (method === 'GET' && query.get('alt') !== 'media') return 'GET metadata';
    return method;
  },
};

/** How many requests there were of each kind. */
export function countKinds(requests, kindOf) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const request of requests) {
    const kind = kindOf(request);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** What so many requests of each kind cost at S3, in dollars. */
export function priceOf(counts) {
  let dollars = 0;
  for (const [kind, count] of Object.entries(counts)) {
    if (FREE.includes(kind)) continue;
    dollars += count * (READS.includes(kind) ? DOLLARS_TO_READ : DOLLARS_TO_WRITE_OR_LIST);
  }
  return dollars;
}
