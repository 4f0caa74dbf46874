// `npm test`: installs what the tests need, runs them, and ends with a line `N passed, N failed`.
// Arguments go to vitest, e.g. `npm test -- test/db`.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDependencies } from '../server/cli/dependencies.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill(signal));
    child.on('error', reject).on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

async function main() {
  await ensureDependencies(root);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-run-'));
  const report = join(folder, 'report.json');
  try {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await run([
      vitest,
      'run',
      '--config',
      'test/vitest.config.ts',
      ...reporters,
      ...process.argv.slice(2),
    ]);
    const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
    const passed = result?.numPassedTests ?? 0;
    // A file that does not load, or an error outside of a test, fails the run without a failed test.
    const broken = (result?.testResults ?? []).filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    ).length;
    const failed = (result?.numFailedTests ?? 0) + broken;
    console.log(`${passed} passed, ${code !== 0 && failed === 0 ? 1 : failed} failed`);
    process.exitCode = code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
