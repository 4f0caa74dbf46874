/** The sides are built as the product is: what a loader for development adds to each function would be measured too. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildWhenStale } from '../helpers/build.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const OUTPUT = join(ROOT, 'dist/bench');

const PROGRAMS = [
  'limits/l2-side',
  'peers/bullmq',
  'peers/graphile',
  'peers/plain-socket',
  'sides/client',
  'sides/engine',
  'sides/event-source',
  'sides/kube',
  'sides/launcher',
  'sides/server',
  'sides/subscribers',
  'sides/worker',
] as const;
export type Program = (typeof PROGRAMS)[number];

export async function buildSides(): Promise<void> {
  await buildWhenStale();
  await build({
    absWorkingDir: ROOT,
    entryPoints: PROGRAMS.map((program) => `test/bench/${program}.ts`),
    outdir: OUTPUT,
    outbase: 'test/bench',
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'silent',
    plugins: [
      {
        name: 'own-folders',
        setup({ onResolve }) {
          onResolve({ filter: /^#(sdk|db|schema|server)\// }, ({ path }) => ({ path: join(ROOT, path.slice(1)) }));
        },
      },
    ],
  });
}
