/** POST /hooks/git/<name>: a service that hosts a repository tells that something was pushed. Nothing that it says is believed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Db } from '#db/client.ts';
import { wantGitLook } from '#db/queries/git-looks.ts';
import { openWebhookSecret } from '#db/queries/git-sources.ts';
import type { Vault } from '#db/vault.ts';
import { createAttemptCounter } from '../auth/attempt-counter.ts';
import type { Logger } from '../log.ts';
import { sendText } from './reply.ts';
import { checkSignature } from './webhook-signature.ts';

/** The most that GitHub sends. It is counted, not kept. */
const MOST_BYTES = 25 * 2 ** 20;
const WINDOW_MS = 60_000;
const MOST_FAILURES = 30;
/** For who has no secret here, so that it takes as long as for who has. */
const NOBODY = 'there is no such source, or it has no webhook';

export interface GitHookDeps {
  db: Db;
  vault: Vault;
  log: Logger;
}

export function createGitHook({ db, vault, log }: GitHookDeps) {
  const failures = createAttemptCounter(WINDOW_MS);

  async function secretOf(name: string): Promise<string | undefined> {
    return /^[a-z0-9-]{1,63}$/.test(name) ? openWebhookSecret(db, vault, name) : undefined;
  }

  return async (req: IncomingMessage, res: ServerResponse, name: string): Promise<void> => {
    const refuse = (status: number, text: string) => {
      // Without reading the rest, so the connection cannot be used again
      res.setHeader('connection', 'close');
      sendText(res, status, text);
      req.resume();
    };
    const from = `${req.socket.remoteAddress} ${name}`;
    if (failures.of(from) >= MOST_FAILURES) return refuse(429, 'Too many wrong signatures. Wait a minute.');
    const secret = await secretOf(name);
    const signature = checkSignature(req.headers, secret ?? NOBODY);
    let bytes = 0;
    for await (const chunk of req as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) return refuse(413, 'The message is too large.');
      signature.push(chunk);
    }
    if (!signature.isRight() || secret === undefined) {
      failures.count(from);
      log.warn({ source: name, address: req.socket.remoteAddress }, 'a webhook with a wrong signature was refused');
      return refuse(401, 'The signature is wrong, or there is no such webhook.');
    }
    await wantGitLook(db, name, { reload: false });
    sendText(res, 202, 'It is looked at.');
  };
}
