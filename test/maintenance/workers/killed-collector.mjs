// One collection of a folder by the compiled package, which kills its own process behind one of its changes to the store.
// Usage: node killed-collector.mjs FOLDER CHANGE. Prints how many changes there were, where it comes to an end.

import { collectStore, LocalStorage } from '../../../dist/index.js';

const [folder, change] = process.argv.slice(2);
let changes = 0;

/** @param {Promise<unknown>} done */
async function counted(done) {
  const result = await done;
  changes += 1;
  if (changes === Number(change)) {
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => {}); // nothing more is done
  }
  return result;
}

const storage = await LocalStorage.open(folder);
const store = new Proxy(storage, {
  get(target, property) {
    if (property === 'create') return (...args) => counted(target.create(...args));
    if (property === 'delete') {
      // One name after the other, so that it is killed between any two.
      return async (names, options) => {
        const failures = [];
        for (const name of names) failures.push(...(await counted(target.delete([name], options))));
        return failures;
      };
    }
    const member = Reflect.get(target, property, target);
    return typeof member === 'function' ? member.bind(target) : member;
  },
});
await collectStore({ store });
await storage.close();
process.stdout.write(`${changes}`);
