import type { Failure } from './asked.ts';

/** The codes by which the page's server refuses a request. */
export type PageRefusalCode = 'REFUSED' | 'USAGE' | 'SERVER_BUSY';

/** A request that the page's server does not answer. */
export class PageRefusal extends Error {
  /** Of HTTP. */
  readonly status: number;
  readonly failure: Failure;

  constructor(status: number, code: PageRefusalCode, message: string) {
    super(message);
    this.name = 'PageRefusal';
    this.status = status;
    this.failure = { code, message };
  }
}
