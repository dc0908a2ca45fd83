import { StowageError, type StowageErrorCode } from '../../errors.ts';
import { type FailedRequest, type Failure, failureOf } from './errors.ts';

/**
 * The error of the storage that a failure comes to.
 *
 * @param wasReached whether the host ever answered
 */
export function storageError(
  failure: Failure,
  request: FailedRequest,
  wasReached: boolean,
  cause?: unknown,
): StowageError {
  const { meaning, about, place = request.place, status, details } = failure;
  const failed = { ...request, place };
  if (failure.isOfConnection) {
    // What the host of another is called is not the caller's doing: if it cannot be resolved it is out of reach.
    const lost = connectionError(cause, failed, wasReached || place !== request.place);
    if (lost) return lost;
  }
  const more = { ...details, ...(status !== undefined && { status }) };
  return failureOf(meaning, `${place}; ${about}`, failed, more, cause);
}

/** Codes of Node.js for a host that cannot be found or reached, or refuses: now, or for good. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
]);
/** Codes of Node.js for a connection that may come about, or hold, the next time. */
const PASSING = new Set([
  ...UNREACHABLE,
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
  // Of fetch().
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
/** Names that SDKs give errors of their own. */
const PASSING_NAMES = new Set(['TimeoutError', 'ConnectTimeoutError']);
const TLS = /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO$)/;

/** HTTP statuses of a service that is overloaded or out of order for a while. */
const PASSING_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Maps an error of the connection, rather than of the service; `undefined` for any other. For a host that never answered,
 * `details.neverAnswered` tells the retries that it may not be there at all.
 *
 * @param wasReached whether the host ever answered: if not, a name that cannot be resolved is a wrong one
 */
export function connectionError(
  cause: unknown,
  request: FailedRequest,
  wasReached: boolean,
): StowageError | undefined {
  const { operation, name, place } = request;
  const code = codeOf(cause);
  const what = `The ${operation} of "${name}" did not reach ${place}`;
  const details = { operation, name, place, cause: code };
  const failure = (kind: StowageErrorCode, why: string, more = {}): StowageError =>
    new StowageError(kind, `${what}: ${why}`, { details: { ...details, ...more }, cause });
  if (code === 'ENOTFOUND' && !wasReached) {
    return failure('STORAGE_FAILED', 'there is no host of that name; correct the endpoint or region.');
  }
  if (code !== undefined && TLS.test(code)) {
    const why = `TLS failed (${code}); check that the endpoint says https or http as the server does, and its certificate.`;
    return failure('STORAGE_FAILED', why);
  }
  if (code !== undefined && UNREACHABLE.has(code) && !wasReached) {
    const why = `${code}. Nothing has ever answered there: check the endpoint, and that its server runs.`;
    return failure('STORAGE_UNAVAILABLE', why, { neverAnswered: true });
  }
  if (code === 'ENOTFOUND' || (code !== undefined && (PASSING.has(code) || PASSING_NAMES.has(code)))) {
    return failure(
      'STORAGE_UNAVAILABLE',
      `${code}. Try again when it answers; check the endpoint if it never does.`,
    );
  }
  return undefined;
}

/** Maps an HTTP status to a code, for answers in which the service does not say it better. */
export function codeOfStatus(status: number | undefined): StowageErrorCode {
  if (status === 401 || status === 403) return 'STORAGE_NOT_PERMITTED';
  if (status === 507) return 'STORAGE_FULL';
  if (status === 501) return 'STORAGE_UNSUPPORTED';
  return status !== undefined && PASSING_STATUSES.has(status) ? 'STORAGE_UNAVAILABLE' : 'STORAGE_FAILED';
}

/** Reads a `Retry-After` header (RFC 9110, section 10.2.3), in milliseconds. */
export function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

/** The code, or else the telling name, of an error or of what caused it. */
function codeOf(error: unknown): string | undefined {
  let unknownCode: string | undefined;
  let cause: unknown = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth += 1) {
    const { code, name, cause: deeper } = cause as Error & { code?: unknown };
    if (typeof code === 'string') {
      if (code === 'ENOTFOUND' || PASSING.has(code) || TLS.test(code)) return code;
      unknownCode ??= code;
    }
    if (PASSING_NAMES.has(name)) return name;
    // A host of several addresses that all refused.
    const [first] = cause instanceof AggregateError ? cause.errors : [];
    cause = deeper ?? first;
  }
  return unknownCode;
}
