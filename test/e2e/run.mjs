// Runs the browser tests and ends with a line `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'millrace-e2e-'));
const report = join(folder, 'report.json');
try {
  const cli = join(root, 'node_modules/@playwright/test/cli.js');
  const args = [cli, 'test', '--config', 'test/playwright.config.ts', '--reporter=list,json', ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_FILE: report },
  });
  let stats = { expected: 0, flaky: 0, unexpected: 1 };
  try {
    stats = JSON.parse(readFileSync(report, 'utf8')).stats;
  } catch (error) {
    console.error(`The browser tests left no report: ${error.message}`);
  }
  console.log(`${stats.expected + stats.flaky} passed, ${stats.unexpected || (status ? 1 : 0)} failed`);
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
