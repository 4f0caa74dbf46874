#!/usr/bin/env node
// The package's `millrace` command. A checkout is installed and built first; an installed package has its dist/.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// Not import.meta.dirname: an older Node is told so, not met with a stack.
const root = fileURLToPath(new URL('../..', import.meta.url));

if (existsSync(join(root, 'server/cli/main.ts')) && existsSync(join(root, 'package-lock.json'))) {
  const { prepareCheckout, runCli } = await import('./checkout.mjs');
  // Only a role that serves the page needs it built.
  await prepareCheckout(['start', 'server'].includes(process.argv[2]) ? ['server', 'web'] : ['server']);
  await runCli();
} else if (process.argv.length === 3 && ['run-task', 'collect-result'].includes(process.argv[2])) {
  const { podMain } = await import(pathToFileURL(join(root, 'dist/server/cli/pod-main.js')).href);
  await podMain(process.argv[2]);
} else {
  process.env.NODE_ENV ??= 'production';
  const { main } = await import(pathToFileURL(join(root, 'dist/server/cli/main.js')).href);
  await main(process.argv);
}
