// The way in from a checkout: `npm start`, `npm run build`. Plain Node, no dependencies: there may be none yet.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureBuild } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';

// Not import.meta.dirname: an older Node is told so, not met with a stack.
const root = fileURLToPath(new URL('../..', import.meta.url));
// Results go to stdout, so progress does not.
const report = (line) => console.error(line);

/** Installs and builds what is missing or stale. */
export async function prepareCheckout(parts) {
  ensureDependencies(root);
  try {
    await ensureBuild(root, parts, report);
  } catch (error) {
    console.error(`The build failed: ${error.message}`);
    process.exit(1);
  }
}

/** A signal to npm ends npm and its shell, but is not passed on to us: their end stands for it. */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 300);
  timer.unref();
}

/** The command line runs in this process, so that signals need no relay. */
export async function runCli() {
  process.setSourceMapsEnabled(true);
  // Else graphql checks every value it touches a second time.
  process.env.NODE_ENV ??= 'production';
  const { main } = await import(pathToFileURL(join(root, 'dist/server/cli/main.js')).href);
  await main(process.argv);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [command, ...options] = process.argv.slice(2);
  if (command === 'build') await prepareCheckout(options.includes('--server-only') ? ['server'] : undefined);
  else {
    endWithNpm();
    await prepareCheckout();
    await runCli();
  }
}
