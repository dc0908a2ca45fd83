// Adds to package-lock.json what `npm ci` misses there. npm writes only those builds for other systems that the registry
// shows it; where a registry hides some, `npm ci` refuses the lock it has just written, everywhere.
// Usage: node .ci/complete-lock.mjs, after `npm install <package>`. The entries are without checksums, as npm cannot see
// those packages either; `npm install` where the registry shows them adds these.
import { readFileSync, writeFileSync } from 'node:fs';

const LOCK = new URL('../package-lock.json', import.meta.url);
const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

const lock = JSON.parse(readFileSync(LOCK, 'utf8'));
const added = {};
for (const entry of Object.values(lock.packages)) {
  if (entry === lock.packages['']) continue;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    const platform = platformOf(name);
    if (!(path in lock.packages) && platform) added[path] = { version, ...inherited(entry), ...platform };
  }
}
lock.packages = Object.fromEntries(
  Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => a.localeCompare(b, 'en')),
);
writeFileSync(LOCK, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} entries added`);

/** `@biomejs/cli-linux-x64-musl` -> what npm looks at before it installs it; `undefined` for packages of every system. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  if (os.length !== 1 || cpu.length !== 1) return undefined;
  if (words.includes('musl')) return { cpu, os, libc: ['musl'] };
  return words.some((word) => word.startsWith('gnu')) ? { cpu, os, libc: ['glibc'] } : { cpu, os };
}

function inherited({ dev, license, engines }) {
  return { ...(dev ? { dev } : {}), license, optional: true, engines };
}
