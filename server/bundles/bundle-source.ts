/** Turns a TypeScript DAG file with all it imports into one module that runs anywhere. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Message, Plugin } from 'esbuild';
import { packageFile, packageRoot } from '../entry-points.ts';

export interface LoadError {
  message: string;
  file: string | null;
  line: number | null;
  column: number | null;
}
export type BundledSource = { ok: true; code: string; inputs: string[] } | { ok: false; errors: LoadError[] };

const TEXT = [
  '.csv',
  '.tsv',
  '.txt',
  '.md',
  '.sql',
  '.html',
  '.xml',
  '.yaml',
  '.yml',
  '.jsonl',
  '.ndjson',
  '.jinja',
  '.j2',
];
const BINARY = ['.parquet', '.arrow', '.png', '.jpg', '.gz', '.zip', '.bin'];
const DATA = new RegExp(`^[^./].*(${[...TEXT, ...BINARY, '.json'].join('|').replaceAll('.', '\\.')})$`);

// What CommonJS packages expect to find, since the result is an ES module.
const BANNER = [
  `import { createRequire as __createRequire } from 'node:module';`,
  `import { fileURLToPath as __fileURLToPath } from 'node:url';`,
  `const require = __createRequire(import.meta.url);`,
  `const __filename = __fileURLToPath(import.meta.url), __dirname = __fileURLToPath(new URL('.', import.meta.url));`,
].join('');

/** Required: before an import Node searches its text for exports, which takes longer than running it. */
const esbuild = () => createRequire(import.meta.url)('esbuild') as typeof import('esbuild');

/** Where Millrace's own packages lie (zod, pg), for DAG files that have none beside them. */
const ownPackages = (): string => dirname(dirname(createRequire(import.meta.url).resolve('zod/package.json')));

/** Of Millrace or of one of its packages. */
export const isOwnFile = (path: string): boolean =>
  path.startsWith(`${ownPackages()}/`) || path.startsWith(`${packageRoot()}/sdk/`);

/** Finds a file inside a package beside or above `from`, whatever the package says it exports. */
export function findPackageFile(specifier: string, from: string): string | null {
  for (let dir = resolve(from); ; dir = dirname(dir)) {
    const candidate = join(dir, 'node_modules', specifier);
    if (existsSync(candidate)) return candidate;
    if (dir === dirname(dir)) break;
  }
  const own = join(ownPackages(), specifier);
  return existsSync(own) ? own : null;
}

/** Data is no code: `import csv from 'pkg/data/x.csv'` works although the package does not export it. */
const dataFiles: Plugin = {
  name: 'data-files',
  setup({ onResolve }) {
    onResolve({ filter: DATA }, ({ path, resolveDir }) => {
      const found = findPackageFile(path, resolveDir);
      return found === null ? undefined : { path: found };
    });
  },
};

/** `inputs` are the files that went in, so that a change of one of them can be noticed. `top`: of the source the file belongs to. */
export async function bundleSource(path: string, top?: string): Promise<BundledSource> {
  const dir = dirname(path);
  const root = projectRoot(dir, top);
  try {
    const result = await esbuild().build({
      entryPoints: [path],
      absWorkingDir: root,
      outfile: join(dir, 'dag.mjs'),
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'external',
      sourcesContent: false,
      // Shorter, and free of comments that name folders of this machine; names stay, for stack traces.
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
      banner: { js: BANNER },
      alias: { millrace: packageFile('sdk/index.ts') },
      nodePaths: [ownPackages()],
      external: ['pg-native', 'cloudflare:sockets'],
      loader: Object.fromEntries([
        ...TEXT.map((extension) => [extension, 'text'] as const),
        ...BINARY.map((extension) => [extension, 'binary'] as const),
      ]),
      plugins: [dataFiles],
    });
    const inputs = Object.keys(result.metafile.inputs).map((input) => resolve(root, input));
    const text = (end: string) => result.outputFiles.find((file) => file.path.endsWith(end))?.text ?? '';
    return { ok: true, code: text('.mjs') + inlineMap(text('.map'), dir), inputs };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    return { ok: false, errors: error.errors.map((message) => toLoadError(message, root)) };
  }
}

/** esbuild writes paths from here into the code, so the same project gives the same bundle wherever it lies. */
function projectRoot(dir: string, top?: string): string {
  for (let at = dir; ; at = dirname(at)) {
    if (at === top) return at;
    if (existsSync(join(at, 'package.json')) || existsSync(join(at, 'node_modules'))) return at;
    if (at === dirname(at)) return dir;
  }
}

/** The source map as a comment; where packages lie on this machine is not part of it. */
function inlineMap(text: string, dir: string): string {
  const map = JSON.parse(text) as { sources: string[] };
  map.sources = map.sources.map((source) => {
    const absolute = resolve(dir, source);
    const inPackage = absolute.lastIndexOf('/node_modules/');
    if (inPackage >= 0) return absolute.slice(inPackage + 1);
    const own = `${packageRoot()}/sdk/`;
    return absolute.startsWith(own) ? `node_modules/millrace/sdk/${absolute.slice(own.length)}` : source;
  });
  return `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}\n`;
}

const isBuildFailure = (error: unknown): error is { errors: Message[] } =>
  typeof error === 'object' && error !== null && 'errors' in error && Array.isArray(error.errors);

function toLoadError({ text, location }: Message, root: string): LoadError {
  const missing = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  const advice = missing ? ` Install '${missing}' beside the DAG file, or correct the import.` : '';
  return {
    message: `${text.replace(/\.?$/, '.')}${advice}`,
    file: location ? resolve(root, location.file) : null,
    line: location?.line ?? null,
    column: location ? location.column + 1 : null,
  };
}
