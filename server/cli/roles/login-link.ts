import type { UserRole } from '#db/queries/users.ts';
import { createLoginLink } from '../../auth/users.ts';
import { printLine } from '../output.ts';
import { readServiceFile } from '../service-file.ts';
import { onConsole } from './console.ts';

export const printLoginLink = ({ user, role }: { user: string; role: UserRole }): Promise<void> =>
  onConsole('login-link', async (db, { publicUrl, url, home }) => {
    const page = publicUrl ?? url ?? (await readServiceFile(home))?.url ?? 'http://127.0.0.1:4400';
    printLine(new URL(await createLoginLink(db, { name: user, role }), page).href);
  });
