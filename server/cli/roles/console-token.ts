import { createApiToken, type ApiTokenRequest } from '../../auth/users.ts';
import { onConsole } from './console.ts';

/** As createApiToken of the API, without anybody's leave but that of the database. */
export const createConsoleToken = ({ name, role, expiresInDays }: Omit<ApiTokenRequest, 'actor'>) =>
  onConsole('token create', async (db) => {
    const { token, row } = await createApiToken(db, { name, role, expiresInDays, actor: 'console' });
    return { token, name, role: role.toUpperCase(), expiresAt: row.expires_at.toISOString() };
  });
