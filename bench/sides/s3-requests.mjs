import { StorageDecorator } from '../../dist/index.js';

const NAMES_A_PAGE = 1000;
const NAMES_A_DELETE = 1000;

/** Counts calls as S3 does: pages of listings and deletes of 1,000 names each. */
export class S3Requests extends StorageDecorator {
  counts = { LIST: 0, GET: 0, HEAD: 0, PUT: 0, DELETE: 0 };

  get capabilities() {
    return { ...super.capabilities, localReads: false };
  }

  async get(name, options) {
    this.counts.GET += 1;
    return this.inner.get(name, options);
  }

  async head(name, options) {
    this.counts.HEAD += 1;
    return this.inner.head(name, options);
  }

  async create(name, body, options) {
    this.counts.PUT += 1;
    return this.inner.create(name, body, options);
  }

  async overwrite(name, body, options) {
    this.counts.PUT += 1;
    return this.inner.overwrite(name, body, options);
  }

  async delete(names, options) {
    this.counts.DELETE += Math.ceil(names.length / NAMES_A_DELETE);
    return this.inner.delete(names, options);
  }

  async *list(options) {
    let listed = 0;
    try {
      for await (const page of this.inner.list(options)) {
        listed += page.objects.length + page.folders.length;
        yield page;
      }
    } finally {
      this.counts.LIST += Math.max(1, Math.ceil(listed / NAMES_A_PAGE));
    }
  }
}
