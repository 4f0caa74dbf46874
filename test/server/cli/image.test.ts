import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROLES } from '#server/config.ts';
import { DEFAULT_USER } from '#server/executors/kubernetes/restricted-defaults.ts';
import { builtImports } from '../../helpers/built-imports.ts';
import { POD_PROGRAMS } from '../../helpers/millrace-image.ts';

const root = join(import.meta.dirname, '../../..');
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const [build = '', , final = ''] = dockerfile.split(/^FROM /m).slice(1);
const copied = [...final.matchAll(/^COPY --from=build \/build\/(\S+) \.\/(\S+)$/gm)].map(([, from, to]) => {
  expect(to).toBe(from);
  return from!;
});

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|mjs)$/.test(path))
    .map((path) => readFileSync(join(root, folder, path), 'utf8'));
}

describe('the image', () => {
  it('copies what is there', () => {
    for (const path of copied) if (!path.endsWith('dist')) expect(existsSync(join(root, path)), path).toBe(true);
    expect(build).toContain('RUN npm run build');
  });

  it('has every file that the program reads beside itself', () => {
    const read = sources('server').flatMap((text) => [...text.matchAll(/packageFile\('([^']+)'\)/g)].map((m) => m[1]!));
    expect(read.length).toBeGreaterThan(3);
    for (const path of [...read, 'db/migrations/0001_initial.sql', 'server/cli/millrace.mjs'])
      expect(
        copied.some((each) => path === each || path.startsWith(`${each}/`)),
        `${path} is in no COPY of the Dockerfile`,
      ).toBe(true);
  });

  it('is built from all that its ignore list leaves', () => {
    const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
    for (const folder of ['sdk', 'db', 'schema', 'server', 'web', 'package.json', 'package-lock.json'])
      expect(ignored).not.toContain(folder);
    for (const secret of ['.git', '.millrace', '**/node_modules']) expect(ignored).toContain(secret);
  });

  it('runs as nobody in particular, by the name that Pods call', () => {
    expect(final).toContain(`USER ${DEFAULT_USER}:${DEFAULT_USER}`);
    expect(final).toContain('ENTRYPOINT ["millrace"]');
    expect(final).toContain('/server/cli/container-entry.sh /usr/local/bin/millrace');
    expect(statSync(join(root, 'server/cli/container-entry.sh')).mode & 0o111).toBe(0o111);
    expect(final).not.toMatch(/^ENV .*MILLRACE_HOME/m);
    expect(ROLES).toContain('run-task');
  });
});

describe('what a Pod loads before its task runs', () => {
  it('is little: no database, no GraphQL, no Kubernetes, no command line', () => {
    const needed = builtImports('server/cli/pod-main.js', { dynamic: true });
    expect([...needed.packages].sort()).toEqual(['tar-stream', 'zod']);
    expect([...builtImports('server/cli/pod-main.js').packages]).toEqual([]);
    const all = POD_PROGRAMS.flatMap((entry) => [...builtImports(entry, { dynamic: true }).packages]);
    expect(all.filter((name) => /graphql|pothos|kubernetes|kysely|commander|pino/.test(name))).toEqual([]);
  });
});
