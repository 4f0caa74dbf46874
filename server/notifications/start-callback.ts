/** A run of another DAG as the answer to an event. */
import type { CallbackTarget } from '#sdk/notify.ts';
import { fillMessage } from '#sdk/notify.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import { findDagByName } from '#db/queries/dags.ts';
import type { NotificationFacts } from '#db/queries/notification-facts.ts';
import { checkConf } from '#schema/check-conf.ts';
import { DeliveryError } from './delivery-error.ts';
import type { Message } from './message.ts';

const STARTED_BY = 'callback of ';

export interface Callback {
  id: number;
  target: CallbackTarget;
  facts: NotificationFacts;
  message: Message;
}

/** Once: asked again, the same run is there already. */
export async function startCallback(db: Db, engine: Engine, { id, target, facts, message }: Callback): Promise<void> {
  const refuse = (reason: string) => new DeliveryError(reason, { isFinal: true });
  if (facts.run.triggered_by?.startsWith(STARTED_BY))
    throw refuse('The run was started by a callback itself; a chain of callbacks ends here, for it might never end.');
  const row = await findDagByName(db, target.dagId);
  if (!row?.version_id || !row.active)
    throw refuse(`There is no DAG '${target.dagId}', or its file is gone. Deploy it.`);
  await engine.versions.load([row.version_id]);
  const dag = engine.versions.get(row.version_id);
  const conf = filled(target.conf, message) as { [key: string]: Json };
  const issues = dag ? checkConf(dag, conf) : [];
  if (issues.length > 0)
    throw refuse(
      `The conf does not fit the params of ${target.dagId}: ${issues.map((one) => `${one.path.slice(2).join('.')} ${one.message}`).join('; ')}`,
    );
  const now = new Date();
  await engine.createRuns([
    {
      dagId: row.id,
      versionId: row.version_id,
      kind: 'manual',
      logicalDate: now,
      intervalStart: now,
      intervalEnd: now,
      conf,
      triggeredBy: `${STARTED_BY}${facts.run.dag_name}`,
      idempotencyKey: `notification ${id}`,
    },
  ]);
}

function filled(value: Json, message: Message): Json {
  if (typeof value === 'string') return fillMessage(value, message.values);
  if (Array.isArray(value)) return value.map((one) => filled(one, message));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, message)]));
}
