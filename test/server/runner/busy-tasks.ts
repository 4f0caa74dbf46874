import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type startRunner, tsBundle } from '../../helpers/runner.ts';

const BASH = `echo $$ > pids/bash; setsid bash -c 'echo $$ > pids/setsid; sleep 70' & sleep 71`;
const PYTHON = 'import os\nopen("{dir}/pids/python", "w").write(str(os.getpid()))\nwhile True: pass';
const TYPESCRIPT =
  'async () => { const fs = await import("node:fs"); fs.writeFileSync("{dir}/pids/typescript", String(process.pid)); for (;;); }';
export const BUSY_NAMES = ['bash', 'setsid', 'python', 'typescript'];

/** Starts a task of each kind that never ends and writes its process id into `dir`/pids. */
export function startBusyTasks(dir: string, runner: ReturnType<typeof startRunner>): string[] {
  mkdirSync(join(dir, 'pids'), { recursive: true });
  const fill = (text: string) => text.replaceAll('{dir}', dir);
  const bundleHash = runner.bundle(tsBundle({ task: fill(TYPESCRIPT) }));
  return [
    runner.start({ kind: 'bash', command: `cd ${dir}; ${BASH}` }),
    runner.start({ kind: 'python', source: fill(PYTHON) }),
    runner.start({ kind: 'typescript' }, { bundleHash }),
  ];
}
