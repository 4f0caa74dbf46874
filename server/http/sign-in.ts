/** GET /login?token=…: a one-time link becomes a session. */
import type { ServerResponse } from 'node:http';
import type { Db } from '#db/client.ts';
import { useLoginLink } from '#db/queries/login-links.ts';
import { hashSecret } from '../auth/secret.ts';
import { startSession } from '../auth/sessions.ts';
import { sendText } from './reply.ts';

export interface SignInDeps {
  db: Db;
  setSession(res: ServerResponse, token: string): void;
}

export function createSignIn({ db, setSession }: SignInDeps) {
  return async (url: URL, res: ServerResponse): Promise<void> => {
    const token = url.searchParams.get('token') ?? '';
    const user = await useLoginLink(db, hashSecret(token));
    if (!user)
      return sendText(
        res,
        401,
        'This sign-in link has been used already or has expired. Ask for a new one: millrace login-link.',
      );
    setSession(res, await startSession(db, { id: user.userId, name: user.name }, 'link'));
    res.writeHead(303, { location: '/', 'cache-control': 'no-store' });
    res.end();
  };
}
