import { chmod, readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** PostgreSQL refuses to run as root, so root runs it as this user. */
export interface Owner {
  name: string;
  uid: number;
  gid: number;
}

/** The user to run PostgreSQL as: null means the present one. */
export async function unprivilegedUser(): Promise<Owner | null> {
  if (process.getuid?.() !== 0) return null;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const user = users.find((fields) => fields[0] === name);
    if (user && Number(user[2]) > 0) return { name, uid: Number(user[2]), gid: Number(user[3]) };
  }
  throw new Error(
    'PostgreSQL does not run as root, and /etc/passwd has neither "postgres" nor "nobody". Start as another user, or set DATABASE_URL.',
  );
}

/** The first folder on the way to `path` that `owner` may not pass; null when there is none. */
export async function blockedAt(path: string, owner: Owner | null): Promise<string | null> {
  if (!owner) return null;
  for (let at = resolve(path); ; at = dirname(at)) {
    const { mode, uid, gid } = await stat(at);
    const bit = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return at;
    if (at === dirname(at)) return null;
  }
}

/** Lets the server's user pass the folder that holds the data; those further up are not ours to open. */
export async function checkReachable(dataDir: string, owner: Owner | null): Promise<void> {
  const home = dirname(dataDir);
  if ((await blockedAt(dataDir, owner)) === home) await chmod(home, ((await stat(home)).mode & 0o777) | 0o011);
  const blocked = await blockedAt(dataDir, owner);
  if (!blocked) return;
  throw new Error(
    `Running as root, PostgreSQL runs as "${owner?.name}", who may not pass ${blocked} to reach ${dataDir}. ` +
      'Set MILLRACE_HOME to a folder outside of it (e.g. /var/lib/millrace), or DATABASE_URL to a database of yours.',
  );
}
