/** Sends one notification, by the kind of its target. */
import type pg from 'pg';
import { MESSAGE_KINDS } from '#sdk/connections.ts';
import { absentConnection } from '#sdk/named-values.ts';
import type { Db } from '#db/client.ts';
import { openConnection } from '#db/engine/dispatch-values.ts';
import type { Engine } from '#db/engine/engine.ts';
import { readNotificationFacts } from '#db/queries/notification-facts.ts';
import type { Delivered, NotificationRow } from '#db/queries/notifications.ts';
import { readConnections } from '#db/queries/values.ts';
import { VaultError, type Vault } from '#db/vault.ts';
import { retryDelaySeconds } from '#db/engine/retry-delay.ts';
import { DeliveryError } from './delivery-error.ts';
import { composeMessage } from './message.ts';
import { sendEmail } from './send-email.ts';
import { sendSlack, sendWebhook } from './send-http.ts';
import { startCallback } from './start-callback.ts';
import { webhookPayload } from './webhook-payload.ts';

/** For one attempt. Shorter than a claim lasts. */
const TIMEOUT_MS = 15_000;
/** With pauses from ten seconds to an hour these are about five hours. */
export const MOST_ATTEMPTS = 12;
const BACKOFF = { retryDelay: 10, retryBackoff: 2, maxRetryDelay: 3_600 };

export interface DeliverDeps {
  db: Db;
  pool: pg.Pool;
  engine: Engine;
  vault: Vault;
  publicUrl: string | null;
}

/** How it ended. Never throws for what the other side does. */
export async function deliver(deps: DeliverDeps, row: NotificationRow): Promise<Delivered> {
  const secrets: string[] = [];
  try {
    await send(deps, row, secrets);
    return { state: 'sent' };
  } catch (error) {
    const known = error instanceof DeliveryError ? error : unexpected(error);
    return afterError(row, known, hide(known.message, secrets));
  }
}

const unexpected = (error: unknown): DeliveryError => {
  const isFinal = error instanceof VaultError;
  return new DeliveryError(error instanceof Error ? error.message : String(error), { isFinal, cause: error });
};

export function afterError(row: { id: number; attempts: number }, error: DeliveryError, message: string): Delivered {
  if (error.isFinal) return { state: 'dead', error: message };
  if (row.attempts >= MOST_ATTEMPTS)
    return { state: 'dead', error: `Given up after ${row.attempts} attempts. ${message}` };
  const delay = Math.max(retryDelaySeconds(BACKOFF, row.attempts, `notification ${row.id}`), error.retryAfter ?? 0);
  return { state: 'pending', error: message, delay };
}

const hide = (text: string, secrets: readonly string[]): string =>
  secrets.filter((secret) => secret.length > 3).reduce((shown, secret) => shown.replaceAll(secret, '***'), text);

async function send(deps: DeliverDeps, row: NotificationRow, secrets: string[]): Promise<void> {
  const { db, publicUrl } = deps;
  const facts = row.event === 'test' ? null : await readNotificationFacts(db, row);
  if (facts === undefined) throw new DeliveryError('Its run is gone.', { isFinal: true });
  const message = composeMessage({ ...row, facts, publicUrl });
  const { destination } = row;
  if ('callback' in destination) {
    if (!facts) throw new DeliveryError('A callback is about a run.', { isFinal: true });
    return startCallback(db, deps.engine, { id: row.id, target: destination.callback, facts, message });
  }
  const connection = await findConnection(deps, destination.connection, secrets);
  const delivery = { id: row.id, event: row.event, connection, signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (connection.kind === 'smtp') return sendEmail({ ...delivery, recipients: destination.recipients, message });
  if (connection.kind === 'slack') return sendSlack(delivery, message);
  if (connection.kind === 'webhook') return sendWebhook(delivery, webhookPayload(row, facts, message), new Date());
  throw new DeliveryError(
    `Connection '${connection.id}' is of kind ${connection.kind}. Messages go over ${MESSAGE_KINDS.join(', ')}.`,
    { isFinal: true },
  );
}

async function findConnection({ pool, vault }: DeliverDeps, id: string, secrets: string[]) {
  const [stored] = await readConnections(pool, [id]);
  if (!stored) throw new DeliveryError(absentConnection(id), { isFinal: true });
  const opened = openConnection(stored, vault);
  secrets.push(...opened.secrets);
  return opened.value;
}
