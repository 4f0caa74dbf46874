import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Programs that are started as processes of their own, by their source below the package's root. */
const ENTRY_POINTS = {
  supervisor: 'server/runner/supervisor-main',
  'node-child': 'server/runner/node-child',
  'operator-child': 'server/runner/operator-child',
  'load-dag-file': 'server/bundles/load-dag-file-main',
} as const;
export type EntryPoint = keyof typeof ENTRY_POINTS;

export interface Command {
  command: string;
  args: string[];
}

/** The folder with package.json: of the checkout or of the installed package. */
export function packageRoot(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
    if (at === dirname(at)) throw new Error(`No package.json above ${fileURLToPath(import.meta.url)}.`);
  }
}

/** A file that ships beside the code and is not bundled, e.g. `server/runner/fork_server.py`. */
export const packageFile = (path: string): string => join(packageRoot(), path);

/** How to start an entry point with this very Node: from dist/ when this code is bundled, else from source through tsx. */
export function entryPoint(name: EntryPoint): Command {
  const root = packageRoot();
  const bundled = !import.meta.url.endsWith('.ts');
  if (bundled)
    return {
      command: process.execPath,
      args: ['--enable-source-maps', join(root, 'dist', `${ENTRY_POINTS[name]}.js`)],
    };
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return { command: process.execPath, args: ['--import', tsx, join(root, `${ENTRY_POINTS[name]}.ts`)] };
}
