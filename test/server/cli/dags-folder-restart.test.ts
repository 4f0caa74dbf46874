import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deployDag } from '#db/queries/dag.ts';
import { openDagsFolder } from '#server/cli/roles/start-dags-folder.ts';
import { readConfig } from '#server/config.ts';
import { createLogger } from '#server/log.ts';
import { createShutdown, type Shutdown } from '#server/shutdown.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { dagOf } from '../../helpers/engine.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const log = createLogger({ level: 'silent', format: 'json' });
let folder: string;
let shutdown: Shutdown | undefined;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-restart-'));
  await database.pool.query('update dag set version_id = null; delete from dag');
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Loading goes on behind the start; the DAG that comes with each start tells that its pass has deployed all. */
let starts = 0;
async function start(): Promise<void> {
  const last = `start_${++starts}`;
  write('zz_last.json', last);
  shutdown = createShutdown({ log });
  openDagsFolder(database.db, { config: readConfig('start', { MILLRACE_DAGS: folder }), log, shutdown });
  await settled(last);
}
const stop = async () => {
  await shutdown?.run('test');
  shutdown = undefined;
};
const write = (file: string, ...dagIds: string[]) =>
  writeFileSync(
    join(folder, file),
    JSON.stringify({ dagId: dagIds[0], tasks: [{ taskId: 'a', kind: 'bash', command: 'true' }] }),
  );
/** The one of before has gone from its file, and is the last thing that a pass looks at. */
const settled = (last: string) =>
  waitFor(
    async () => {
      const { rows } = await database.pool.query<{ name: string }>(
        `select name from dag where active and name like 'start%'`,
      );
      return rows.length === 1 && rows[0]?.name === last;
    },
    { timeoutMs: 20_000, what: 'the pass to end' },
  );
async function dags(): Promise<{ [name: string]: string }> {
  const { rows } = await database.pool.query<{ name: string; active: boolean; origin: string }>(
    `select name, active, concat_ws(' ', source, path) as origin from dag where name not like 'start%' order by name`,
  );
  return Object.fromEntries(
    rows.map(({ name, active, origin }) => [name, `${active ? 'active' : 'inactive'} ${origin.replace(folder, '')}`]),
  );
}

describe('the DAG folder over a restart', () => {
  it('deactivates what has gone meanwhile, and nothing that is not its own or does not load', async () => {
    write('stays.json', 'stays');
    write('goes.json', 'goes');
    write('renamed.json', 'renamed');
    write('emptied.json', 'emptied');
    write('breaks.json', 'breaks');
    write('taken.json', 'taken');
    await start();
    await stop();
    const others = { bundle: null, actor: 'test' };
    await deployDag(database.db, {
      spec: dagOf('taken', { a: [] }),
      ...others,
      origin: { source: 'cli', path: 'x.ts' },
    });
    await deployDag(database.db, { spec: dagOf('untold', { a: [] }), ...others });
    const elsewhere = { source: 'folder:/elsewhere', path: 'goes.json' };
    await deployDag(database.db, { spec: dagOf('elsewhere', { a: [] }), ...others, origin: elsewhere });

    for (const file of ['goes.json', 'taken.json']) rmSync(join(folder, file));
    renameSync(join(folder, 'renamed.json'), join(folder, 'another.json'));
    write('emptied.json', 'instead');
    writeFileSync(join(folder, 'breaks.json'), '{ "dagId": "breaks", "tasks": [');
    await start();
    await stop();
    expect(await dags()).toEqual({
      stays: 'active folder: stays.json',
      goes: 'inactive folder: goes.json',
      renamed: 'active folder: another.json',
      emptied: 'inactive folder: emptied.json',
      instead: 'active folder: emptied.json',
      breaks: 'active folder: breaks.json',
      taken: 'active cli x.ts',
      untold: 'active ',
      elsewhere: 'active folder:/elsewhere goes.json',
    });
    const { rows } = await database.pool.query('select source, path from import_error');
    expect(rows).toEqual([{ source: `folder:${folder}`, path: 'breaks.json' }]);
  });

  it('takes a DAG back into service when its file returns', async () => {
    write('returns.json', 'returns');
    await start();
    await stop();
    rmSync(join(folder, 'returns.json'));
    await start();
    await stop();
    expect(await dags()).toEqual({ returns: 'inactive folder: returns.json' });
    write('returns.json', 'returns');
    await start();
    expect(await dags()).toEqual({ returns: 'active folder: returns.json' });
    const { rows } = await database.pool.query(
      `select body->>'dag' as what from event e join dag d on e.run_id = -d.id where d.name = 'returns' order by run_seq`,
    );
    expect(rows.map((row) => row.what)).toEqual(['deployed', 'deactivated', 'deployed']);
  });
});
