import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const checkout = join(root, 'server/cli/checkout.mjs');

/** Bundles the server into dist/ unless it is fresh. The web page is built by those tests that look at it. */
export async function buildWhenStale(): Promise<void> {
  if (!existsSync(checkout) || !existsSync(join(root, 'server/cli/main.ts'))) return;
  try {
    await promisify(execFile)(process.execPath, [checkout, 'build', '--server-only'], { cwd: root });
  } catch (error) {
    throw new Error(`The build failed:\n${(error as { stderr?: string }).stderr ?? ''}`, { cause: error });
  }
}
