import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

const root = new URL('..', import.meta.url).pathname;

const NOT_HERE = ['test/e2e/**', 'test/bench/**', 'node_modules/**'];
/** What fills the machine by itself runs when the others are done. */
const ALONE = ['test/crash/chaos*.test.ts'];

/** Inherits nothing: the set-up of the whole run would be done once more for each. */
const group = (
  name: string,
  files: { include: string[]; exclude: string[] },
  groupOrder: number,
): TestProjectInlineConfiguration => ({
  root,
  // One copy of graphql: Vite would take its `module` build and Pothos the CommonJS one.
  resolve: {
    alias: [
      { find: /^graphql$/, replacement: `${root}node_modules/graphql/index.js` },
      { find: /^millrace$/, replacement: `${root}sdk/index.ts` },
    ],
  },
  test: {
    name,
    ...files,
    sequence: { groupOrder },
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});

export default defineConfig({
  root,
  test: {
    projects: [
      group('together', { include: ['test/**/*.test.ts'], exclude: [...NOT_HERE, ...ALONE] }, 0),
      group('alone', { include: ALONE, exclude: NOT_HERE }, 1),
    ],
    globalSetup: ['test/global-setup.ts'],
    reporters: process.env['GITHUB_ACTIONS'] ? ['default', 'github-actions'] : ['default'],
  },
});
