/** Git repositories over HTTP as servers have them: `git http-backend` behind basic auth. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface GitRepository {
  url: string;
  /** Its working copy. */
  folder: string;
  /** Writes files (null: removes one), commits and pushes. Resolves to the commit. */
  commit(files: { [path: string]: string | Buffer | null }, message?: string): string;
  /** Any Git command in the working copy. */
  git(...args: string[]): string;
}

export interface GitServer {
  /** Requests that came, as `GET /dags.git/info/refs`. */
  requests: string[];
  /** Repositories that a commit was fetched from, a name for each time. */
  fetches: string[];
  repository(name: string): GitRepository;
  /** While set, requests go here instead. */
  intercept: ((req: IncomingMessage, res: ServerResponse) => void) | null;
  /** As if nothing were set. */
  answer(req: IncomingMessage, res: ServerResponse): void;
  url(): string;
  stop(): Promise<void>;
}

export const GIT_USER = { username: 'ada', password: 'geheim-wort-1' };

export async function startGitServer(): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), 'millrace-git-server-'));
  const requests: string[] = [];
  const wanted = `Basic ${Buffer.from(`${GIT_USER.username}:${GIT_USER.password}`).toString('base64')}`;
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${(req.url ?? '').split('?')[0]}`);
    if (self.intercept) return self.intercept(req, res);
    self.answer(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: GitServer = {
    ...{ requests, fetches: [], intercept: null },
    answer(req, res) {
      if (req.headers.authorization !== wanted)
        return void res.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      // Protocol 2 asks and fetches at the same address
      req.once('data', (chunk: Buffer) => {
        if (chunk.includes('command=fetch')) self.fetches.push(repositoryNameOf(req));
      });
      answer(root, req, res);
    },
    url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repository(name) {
      const bare = join(root, `${name}.git`);
      const folder = join(root, 'copies', name);
      mkdirSync(folder, { recursive: true });
      const git = (...args: string[]) => run(folder, args);
      run(root, ['init', '--quiet', '--bare', '-b', 'main', bare]);
      git('init', '--quiet', '-b', 'main');
      git('remote', 'add', 'origin', bare);
      return {
        url: `${self.url()}/${name}.git`,
        folder,
        git,
        commit(files, message = 'a change') {
          for (const [path, content] of Object.entries(files)) {
            const file = join(folder, path);
            if (content === null) {
              rmSync(file);
              continue;
            }
            mkdirSync(dirname(file), { recursive: true });
            writeFileSync(file, content);
          }
          git('add', '--all', '--force');
          git('commit', '--quiet', '--allow-empty', '-m', message);
          git('push', '--quiet', 'origin', 'HEAD');
          return git('rev-parse', 'HEAD').trim();
        },
      };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(root, { recursive: true, force: true });
    },
  };
  return self;
}

export const repositoryNameOf = ({ url }: IncomingMessage): string => /^\/([^/]+)\.git\//.exec(url ?? '')?.[1] ?? '';

const IDENTITY = { GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'ada@example.com' };
const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  ...IDENTITY,
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

const run = (cwd: string, args: string[]): string =>
  execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], { cwd, env: ENVIRONMENT, encoding: 'utf8' });

/** CGI, as far as Git speaks it. */
function answer(root: string, req: IncomingMessage, res: ServerResponse): void {
  const url = new URL(req.url ?? '/', 'http://git');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...ENVIRONMENT,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: req.method ?? 'GET',
      CONTENT_TYPE: req.headers['content-type'] ?? '',
      GIT_PROTOCOL: String(req.headers['git-protocol'] ?? ''),
      HTTP_CONTENT_ENCODING: req.headers['content-encoding'] ?? '',
      REMOTE_USER: GIT_USER.username,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  req.pipe(child.stdin);
  let head: Buffer | null = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    if (head === null) return void res.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    let status = 200;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(/:\s*/, 2);
      if (name.toLowerCase() === 'status') status = parseInt(value, 10);
      else res.setHeader(name, value);
    }
    res.writeHead(status);
    res.write(head.subarray(end + 4));
    head = null;
  });
  child.on('close', () => res.end());
  res.on('close', () => child.kill('SIGKILL'));
}
