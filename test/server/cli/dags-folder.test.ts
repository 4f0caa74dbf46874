import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDagsFolder, type DagsFolder } from '#server/cli/roles/dags-folder.ts';
import { createLogger } from '#server/log.ts';
import { waitFor } from '../../helpers/wait-for.ts';

let folder: string;
let dags: DagsFolder;
let seen: string[];
/** As the service has them: file by DAG. */
let active: Map<string, string>;
/** DAG files are known by their import; here they list their DAGs, a comment line per name. "broken" does not load. */
const HEAD = "import { dag } from 'millrace'; dag()\n";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-dags-'));
  seen = [];
  active = new Map();
  dags = createDagsFolder({
    folder,
    debounceMs: 20,
    log: createLogger({ level: 'silent', format: 'json' }),
    async deployFile(file) {
      const names = readFileSync(file, 'utf8').split('\n').slice(1).filter(Boolean);
      if (names.includes('broken')) throw new Error('it is broken');
      seen.push(`deploy ${names.join(' ')}`);
      for (const name of names) active.set(name, basename(file));
      return { dagIds: names, inputs: [file, join(folder, 'data/rows.csv')] };
    },
    clearError: async (file) => void seen.push(`clear ${basename(file)}`),
    recordError: async (file, { message }) => void seen.push(`error ${basename(file)}: ${message}`),
    listActive: async () => [...active].map(([name, path]) => ({ id: 1, name, path })),
    async deactivate({ name }) {
      seen.push(`deactivate ${name}`);
      return active.delete(name);
    },
  });
});
afterEach(async () => {
  await dags.stop();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string) => writeFileSync(join(folder, name), HEAD + text);
const awaitSeen = (line: string) =>
  waitFor(() => seen.includes(line), { what: `"${line}" among ${JSON.stringify(seen)}` });

describe('createDagsFolder', () => {
  it('loads every DAG file at the start and nothing else, one failure beside the others', async () => {
    write('a.ts', 'a1\na2');
    write('b.ts', 'broken');
    write('types.d.ts', 'x');
    write('notes.md', 'x');
    write('_shared.ts', 'x');
    await dags.start();
    expect(seen).toEqual(['deploy a1 a2', 'clear a.ts', 'error b.ts: it is broken']);
  });

  it('follows changes: a new file, a mended one, a DAG that is gone, a file that is gone', async () => {
    write('a.ts', 'a1\na2');
    write('b.ts', 'broken');
    await dags.start();
    write('c.ts', 'c1');
    await awaitSeen('deploy c1');
    write('b.ts', 'b1');
    await awaitSeen('clear b.ts');
    write('a.ts', 'a1');
    await awaitSeen('deactivate a2');
    rmSync(join(folder, 'c.ts'));
    await awaitSeen('deactivate c1');
    expect(seen).not.toContain('deactivate a1');
  });

  it('reloads all when something that they may import changes', async () => {
    write('a.ts', 'a1');
    mkdirSync(join(folder, 'data'));
    await dags.start();
    seen.length = 0;
    write('data/rows.csv', '1');
    await awaitSeen('deploy a1');
  });

  it('keeps a DAG active while its file is broken', async () => {
    write('a.ts', 'a1');
    await dags.start();
    write('a.ts', 'broken');
    await awaitSeen('error a.ts: it is broken');
    write('a.ts', 'a1');
    await waitFor(() => seen.filter((line) => line === 'deploy a1').length === 2, { what: 'the mended file' });
    expect(seen.filter((line) => line.startsWith('deactivate'))).toEqual([]);
  });

  it('keeps a DAG active that moves to another file, whichever is loaded first', async () => {
    write('a.ts', 'a1\nmoves');
    write('z.ts', 'z1');
    await dags.start();
    write('a.ts', 'a1');
    write('z.ts', 'z1\nmoves');
    await waitFor(() => active.get('moves') === 'z.ts', { what: 'the move' });
    write('z.ts', 'z1');
    write('a.ts', 'a1\nmoves');
    await waitFor(() => active.get('moves') === 'a.ts', { what: 'the move back' });
    rmSync(join(folder, 'z.ts'));
    await awaitSeen('deactivate z1');
    expect(seen.filter((line) => line.startsWith('deactivate'))).toEqual(['deactivate z1']);
  });

  it('says which folder is missing', async () => {
    rmSync(folder, { recursive: true });
    await expect(dags.start()).rejects.toThrow(`The DAG folder ${folder} does not exist`);
  });
});
