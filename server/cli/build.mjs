// Plain Node until the packages are known to be there.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ENTRY_POINTS = [
  'server/cli/main.ts',
  'server/cli/pod-main.ts',
  'server/runner/supervisor-main.ts',
  'server/runner/node-child.ts',
  'server/runner/operator-child.ts',
  'server/bundles/load-dag-file-main.ts',
  'sdk/index.ts',
];
const PARTS = {
  server: { sources: ['sdk', 'db', 'schema', 'server'], output: 'dist', build: buildServer },
  web: { sources: ['web', 'schema/schema.graphql', 'sdk/states.ts'], output: 'web/dist', build: buildWeb },
};
const SKIPPED = new Set(['node_modules', 'dist', '__pycache__']);

/** Builds the parts whose sources changed since their last build. */
export async function ensureBuild(root, parts = ['server', 'web'], report = () => {}) {
  for (const name of parts) {
    const part = PARTS[name];
    const inputs = [...part.sources, 'package-lock.json', 'server/cli/build.mjs'];
    const hash = fingerprint(root, inputs);
    const stamp = join(root, part.output, `.stamp`);
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) continue;
    const started = performance.now();
    rmSync(stamp, { force: true });
    if (!(await part.build(root))) continue;
    mkdirSync(join(root, part.output), { recursive: true });
    writeFileSync(stamp, hash);
    report(`Built ${name} in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  }
}

/** Names, sizes and times of all source files: reading them would cost more than the rest of a warm start. */
function fingerprint(root, paths) {
  const hash = createHash('sha256');
  const visit = (path) => {
    const info = statSync(join(root, path), { throwIfNoEntry: false });
    if (!info) return;
    if (!info.isDirectory()) return hash.update(`${path}\0${info.size}\0${info.mtimeMs}\n`);
    for (const name of readdirSync(join(root, path)).sort()) if (!SKIPPED.has(name)) visit(`${path}/${name}`);
  };
  paths.forEach(visit);
  return hash.digest('hex');
}

async function buildServer(root) {
  const entryPoints = ENTRY_POINTS.filter((path) => existsSync(join(root, path)));
  const { build, stop } = await import('esbuild');
  const { metafile } = await build({
    metafile: true,
    absWorkingDir: root,
    entryPoints,
    outdir: 'dist',
    outbase: '.',
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'silent',
    plugins: [ownFolders(root)],
  });
  // Its helper process would stay as long as the service runs.
  await stop();
  removeOldChunks(root, new Set(Object.keys(metafile.outputs)));
  return true;
}

/** A service that runs from the last build still imports its chunks: they stay for a day. */
function removeOldChunks(root, current) {
  for (const name of readdirSync(join(root, 'dist/chunks'))) {
    const path = `dist/chunks/${name}`;
    const age = Date.now() - statSync(join(root, path)).mtimeMs;
    if (!current.has(path) && age > 86_400_000) rmSync(join(root, path));
  }
}

/** `packages: 'external'` would leave the package's own `#sdk/…` imports outside as well. */
const ownFolders = (root) => ({
  name: 'own-folders',
  setup(build) {
    build.onResolve({ filter: /^#(sdk|db|schema|server)\// }, ({ path }) => ({ path: join(root, path.slice(1)) }));
  },
});

async function buildWeb(root) {
  const configFile = join(root, 'web/vite.config.ts');
  if (!existsSync(configFile)) return false;
  const { build } = await import(pathToFileURL(join(root, 'node_modules/vite/dist/node/index.js')).href);
  await build({ root: join(root, 'web'), configFile, logLevel: 'error' });
  return true;
}
