import { spawn } from 'node:child_process';
import { SUPERVISOR_VARIABLE } from './process-group.ts';

/**
 * A shell that does nothing until the supervisor is gone, however it went: then it kills what the supervisor had started. Found by
 * their environment, since a task may have left its process group. A few rounds, for what is being forked meanwhile.
 */
const SCRIPT = `cat >/dev/null
for round in 1 2 3; do
  for file in $(grep -ls "${SUPERVISOR_VARIABLE}=$1" /proc/[0-9]*/environ 2>/dev/null); do
    pid=\${file#/proc/}
    kill -9 "\${pid%/environ}" 2>/dev/null
  done
done`;

export function startGuard(supervisorId: string, path: string): void {
  if (process.platform !== 'linux') return;
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'millrace-guard', supervisorId], {
    detached: true,
    env: { PATH: path },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without it the worker's own sweep remains.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
}
