/** Who did what to what, for security events. Never a secret in `detail`. */
import type { Db } from '#db/client.ts';
import type { Json } from '#sdk/protocol.ts';

export interface AuditEntry {
  actor: string;
  action: string;
  object: string;
  detail?: { [key: string]: Json };
}

export async function recordAudit(db: Db, { actor, action, object, detail }: AuditEntry): Promise<void> {
  await db
    .insertInto('audit_event')
    .values({ actor, action, object, detail: detail ? JSON.stringify(detail) : null })
    .execute();
}
