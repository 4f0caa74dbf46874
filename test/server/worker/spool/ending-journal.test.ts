import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogChunk, TaskReport } from '#sdk/protocol.ts';
import { ServiceRefusal } from '#server/worker/service-answer.ts';
import { createEndingJournal } from '#server/worker/spool/ending-journal.ts';
import { replaySpools } from '#server/worker/spool/replay.ts';
import { abandonedFolders, newSpoolFolder } from '#server/worker/spool/spool-folder.ts';
import { waitFor } from '../../../helpers/wait-for.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-journal-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const report = (id: string, more: Partial<TaskReport> = {}): TaskReport => ({
  dispatchId: id,
  outcome: 'success',
  cause: 'ok',
  logBytes: 3,
  ...more,
});
const silent = { info: () => undefined, warn: () => undefined };
const fail = (error: unknown) => expect.fail(String(error));

describe('ends of tasks that the service does not take', () => {
  it('are written down with their results after a while, and erased when it has taken them', async () => {
    const dir = join(root, 'written');
    const journal = createEndingJournal({ dir, onError: fail, lateMs: 40 });
    const path = join(root, 'result.json');
    writeFileSync(path, '"large"');
    const file = { path, hash: 'h', bytes: 7, preview: '"large"' };
    journal.put({ report: report('1.0.-1.a'), files: { return_value: file } });
    journal.put({ report: report('1.1.-1.b') });
    journal.remove('1.1.-1.b');
    await waitFor(() => readdirSync(dir).includes('end-1.0.-1.a.json'), { what: 'the end on the disk' });
    expect(readdirSync(dir).sort()).toEqual(['end-1.0.-1.a-0.result', 'end-1.0.-1.a.json']);
    // Where it lay goes with the supervisor
    rmSync(path);
    expect(readFileSync(file.path, 'utf8')).toBe('"large"');
    journal.remove('1.0.-1.a');
    await waitFor(() => readdirSync(dir).length === 0, { what: 'an empty folder' });
  });

  it('are erased too when it takes them right after their results', async () => {
    const dir = join(root, 'uploaded');
    const journal = createEndingJournal({ dir, onError: fail, lateMs: 40 });
    const path = join(root, 'uploaded.json');
    writeFileSync(path, '"large"');
    const file = { path, hash: 'h', bytes: 7, preview: '"large"' };
    journal.put({ report: report('1.0.-1.a'), files: { return_value: file } });
    await waitFor(() => readdirSync(dir).includes('end-1.0.-1.a.json'), { what: 'the end on the disk' });
    journal.put({ report: report('1.0.-1.a') });
    journal.remove('1.0.-1.a');
    await journal.leave();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('are not written while it takes them at once', async () => {
    const dir = join(root, 'quick');
    const journal = createEndingJournal({ dir, onError: fail, lateMs: 1_000 });
    for (let n = 0; n < 100; n += 1) {
      journal.put({ report: report(`1.${n}.-1.a`) });
      journal.remove(`1.${n}.-1.a`);
    }
    await journal.leave();
    expect(existsSync(dir)).toBe(false);
  });

  it('are kept in memory where nothing can be written, and it is said', async () => {
    const errors: unknown[] = [];
    writeFileSync(join(root, 'taken'), '');
    const journal = createEndingJournal({ dir: join(root, 'taken/spool'), onError: (error) => errors.push(error) });
    journal.put({ report: report('1.0.-1.a') });
    await journal.leave();
    expect(String(errors[0])).toMatch(/could not be written to .*taken\/spool: it is lost if the worker ends/);
    expect(journal.isEmpty()).toBe(false);
  });
});

describe('spools', () => {
  it('of living processes are let be', async () => {
    const home = join(root, 'living');
    const mine = newSpoolFolder(home);
    const other = mine.replace(`~${process.pid}-`, `~${process.ppid}-`).replace(/.$/, '0');
    const dead = mine.replace(`~${process.pid}-`, '~4194303-').replace(/.$/, '1');
    const elsewhere = join(home, 'another-host~1-00000000-0000-4000-8000-000000000000');
    for (const folder of [mine, other, dead, elsewhere]) mkdirSync(folder, { recursive: true });
    expect(await abandonedFolders(home)).toEqual([dead]);
    expect(await abandonedFolders(join(root, 'nowhere'))).toEqual([]);
  });

  it('of a process that has ended are left behind although nobody has asked how it ended', async () => {
    const home = join(root, 'zombie');
    // Its parent becomes a program that never asks
    const parent = spawn('sh', ['-c', 'sh -c "exit 0" & echo $!; exec sleep 60']);
    try {
      const pid = Number(String(await once(parent.stdout, 'data').then(([text]) => text)));
      const folder = newSpoolFolder(home).replace(`~${process.pid}-`, `~${pid}-`);
      mkdirSync(folder, { recursive: true });
      await waitFor(async () => (await abandonedFolders(home)).length === 1, {
        what: 'the folder of the dead process',
      });
      expect(existsSync(`/proc/${pid}`)).toBe(process.platform === 'linux');
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('are sent whole, whatever a death left half written, and what is refused holds nothing up', async () => {
    const home = join(root, 'replayed');
    const dir = newSpoolFolder(home).replace(`~${process.pid}-`, '~4194303-');
    mkdirSync(dir, { recursive: true });
    const chunk = (n: number): LogChunk => ({ dispatchId: '1.0.-1.a', offset: n, body: `${n}\n` });
    writeFileSync(join(dir, 'log-000001.ndjson'), `${JSON.stringify(chunk(0))}\n${JSON.stringify(chunk(2))}\n{"dispa`);
    writeFileSync(join(dir, 'log-000002.ndjson'), `${JSON.stringify(chunk(4))}\n`);
    writeFileSync(join(dir, 'end-1.0.-1.a.json'), JSON.stringify({ report: report('1.0.-1.a') }));
    writeFileSync(join(dir, 'end-1.1.-1.b.json'), JSON.stringify({ report: report('1.1.-1.b') }));
    writeFileSync(join(dir, 'end-1.2.-1.c.json'), '{"report":');
    writeFileSync(join(dir, 'end-1.3.-1.d.json.draft'), '{');
    const told: unknown[] = [];
    let isAway = true;
    const api = {
      appendLogs: async (chunks: LogChunk[]) => void told.push(...chunks.map(({ offset }) => offset)),
      putArtifact: () => expect.fail('there is none'),
      heartbeat: async (_worker: number | null, dispatchIds: string[]) => {
        if (isAway) throw new Error('away');
        told.push(dispatchIds);
        return { fenced: [], registered: true, drain: null };
      },
      report: async (worker: number | null, reports: TaskReport[]) => {
        told.push([worker, ...reports.map(({ dispatchId }) => dispatchId)]);
        if (reports[0]!.dispatchId === '1.0.-1.a') throw new ServiceRefusal('no', { isCredential: false });
        return { answers: ['FENCED' as const], dispatches: [] };
      },
    };
    const untilAnswered = async <T>(ask: () => Promise<T>): Promise<T> => {
      await ask().catch(() => undefined);
      isAway = false;
      return ask();
    };
    await replaySpools({
      api: { ...api, appendLogs: api.appendLogs },
      home,
      log: silent,
      untilAnswered: async (ask) => (isAway ? untilAnswered(ask) : ask()),
    });
    expect(told).toEqual([['1.0.-1.a', '1.1.-1.b'], 0, 2, 4, [null, '1.0.-1.a'], [null, '1.1.-1.b']]);
    expect(existsSync(dir)).toBe(false);
  });
});
