import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Runs a program with a shutdown, sends it the signals once it is ready, and tells how it ended. */
async function runProgram(body: string, ...signals: NodeJS.Signals[]) {
  const code = `
    import { createShutdown } from './server/shutdown.ts';
    import { createLogger } from './server/log.ts';
    const shutdown = createShutdown({ log: createLogger({ level: 'silent', format: 'json' }), graceMs: 10_000 });
    const say = (text) => process.stdout.write(text + '\\n');
    shutdown.handleSignals();
    ${body}
    setInterval(() => {}, 1000); say('ready');`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  let sent = 0;
  child.stdout.on('data', (data) => {
    lines.push(...String(data).trim().split('\n'));
    if (sent < signals.length && lines.includes(sent === 0 ? 'ready' : 'waiting')) child.kill(signals[sent++]);
  });
  return new Promise<{ lines: string[]; code: number | null; signal: string | null }>((resolve) =>
    child.once('close', (exitCode, signal) => resolve({ lines: lines.slice(1), code: exitCode, signal })),
  );
}

describe('createShutdown', () => {
  it('stops the last started first, goes on after a failure, and ends by the same signal', async () => {
    const body = `
      shutdown.add('database', () => say('database'));
      shutdown.add('broken', () => { throw new Error('no'); });
      shutdown.add('server', async () => { await new Promise((r) => setTimeout(r, 20)); say('server ' + shutdown.signal.aborted); });`;
    expect(await runProgram(body, 'SIGTERM')).toEqual({
      lines: ['server true', 'database'],
      code: null,
      signal: 'SIGTERM',
    });
  });

  it('forces what remains at the second signal', async () => {
    const body = `
      shutdown.add('database', () => say('stopped'), () => say('forced'));
      shutdown.add('worker', () => { say('waiting'); return new Promise(() => {}); }, () => say('killed'));`;
    expect(await runProgram(body, 'SIGINT', 'SIGINT')).toEqual({
      lines: ['waiting', 'killed', 'forced'],
      code: null,
      signal: 'SIGINT',
    });
  });

  it('stops what had still been starting when all others had stopped', async () => {
    const late = `shutdown.run('asked').then(() => shutdown.add('late', () => { say('late'); process.exit(7); }));`;
    expect(await runProgram(late)).toMatchObject({ code: 7 });
  });
});
