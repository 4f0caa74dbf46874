/** How Git reaches one repository: its environment and settings. Secrets lie in files that only this user may read, never in arguments. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { GitCredentials } from '#sdk/git-sources.ts';
import type { GitUrl } from '#sdk/git-url.ts';

export interface GitAccessDeps {
  /** A folder of this look alone. */
  work: string;
  url: GitUrl;
  credentials: GitCredentials;
  /** Where the host is, as it was checked; null: not known, a proxy will find it. */
  addresses: readonly string[] | null;
  /** What may be passed on of the scheduler's environment: path, proxies, certificates. */
  environment: { [name: string]: string };
}

export interface GitAccess {
  /** Before the command. */
  settings: string[];
  environment: { [name: string]: string };
  /** What must not be shown. */
  secrets: string[];
  /** The network is not needed any more. */
  forget(): Promise<void>;
}

export async function openGitAccess(deps: GitAccessDeps): Promise<GitAccess> {
  const { work, url, credentials } = deps;
  const folder = join(work, 'secret');
  const home = join(work, 'home');
  for (const path of [folder, home]) await mkdir(path, { mode: 0o700 });
  const passed = Object.entries(deps.environment).filter(([name]) => PASSED.test(name));
  const environment = {
    ...Object.fromEntries(passed),
    HOME: home,
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_OPTIONAL_LOCKS: '0',
    // A repository that the home happens to lie in is none of ours
    GIT_CEILING_DIRECTORIES: dirname(work),
    ...(await secretFiles(folder, deps)),
  };
  const settings = {
    'protocol.allow': 'never',
    [`protocol.${url.protocol}.allow`]: 'always',
    ...(deps.addresses && /^https?$/.test(url.protocol) && { 'http.curloptResolve': pinned(url, deps.addresses) }),
  };
  return {
    settings: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    environment,
    secrets: secretsOf(credentials),
    forget: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Nothing of Git itself: its variables can have it run programs. */
const PASSED = /^(PATH|LANG|TZ|TMPDIR|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL)_PROXY)$/i;

async function secretFiles(folder: string, { credentials, url, addresses }: GitAccessDeps) {
  const write = async (name: string, text: string, mode = 0o600) => {
    const path = join(folder, name);
    await writeFile(path, text, { mode });
    await chmod(path, mode);
    return path;
  };
  // Also with nothing to say: Git must ask nobody else
  const username = await write('username', credentials.kind === 'password' ? credentials.username : '');
  const password = await write('password', credentials.kind === 'password' ? credentials.password : '');
  const script = `#!/bin/sh\ncase "$1" in Username*) cat ${quoted(username)} ;; *) cat ${quoted(password)} ;; esac\n`;
  const askpass = await write('askpass', script, 0o700);
  const asking = { GIT_ASKPASS: askpass, SSH_ASKPASS: askpass };
  if (credentials.kind !== 'ssh') return { ...asking, GIT_SSH_COMMAND: '/bin/false' };
  const key = await write('key', `${credentials.privateKey.trimEnd()}\n`);
  const known = await write('known_hosts', `${credentials.knownHosts.trimEnd()}\n`);
  const options = {
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    UserKnownHostsFile: known,
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    BatchMode: 'yes',
    PasswordAuthentication: 'no',
    ForwardAgent: 'no',
    PermitLocalCommand: 'no',
    ClearAllForwardings: 'yes',
    ConnectTimeout: '15',
    ServerAliveInterval: '10',
    ...(addresses?.[0] !== undefined && { HostName: addresses[0], HostKeyAlias: hostKeyName(url) }),
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', quoted(`${name}=${value}`)]);
  return { ...asking, GIT_SSH_COMMAND: ['ssh', '-F', '/dev/null', '-i', quoted(key), ...flags].join(' ') };
}

/** As a known_hosts file names it. */
const hostKeyName = ({ host, port }: GitUrl): string =>
  port === null || port === 22 ? (host ?? '') : `[${host}]:${port}`;

const pinned = ({ host, port }: GitUrl, addresses: readonly string[]): string =>
  `${host}:${port}:${addresses.map((address) => (address.includes(':') ? `[${address}]` : address)).join(',')}`;

/** For a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function secretsOf(credentials: GitCredentials): string[] {
  if (credentials.kind !== 'password') return [];
  const { username, password } = credentials;
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  return [password, encodeURIComponent(password), basic];
}
