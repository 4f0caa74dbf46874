/** From events to notifications and clocks, in the transaction that is done with the events: none is told twice, none is forgotten. */
import type { Transaction } from 'kysely';
import type { ConsumedEvent } from '#db/queries/event-consumer.ts';
import { startClocks, stopRunClocks, stopTaskClocks, type NewClock } from '#db/queries/deadlines.ts';
import { insertNotifications } from '#db/queries/notifications.ts';
import { readRunVersions } from '#db/queries/notify-plans.ts';
import type { DB } from '#db/types.ts';
import { meaningOf, type Meaning, type NewDeadline } from './notices.ts';
import type { NotifyPlans } from './notify-plans.ts';

type EventOfRun = ConsumedEvent & { runId: number };
interface Read extends EventOfRun {
  versionId: number;
  meaning: Meaning;
}

export const createNotifyHandler =
  (plans: NotifyPlans) =>
  async (trx: Transaction<DB>, events: readonly ConsumedEvent[]): Promise<void> => {
    const ofRuns = events.filter((event): event is EventOfRun => event.runId !== null);
    const versions = await readRunVersions(trx, [...new Set(ofRuns.map((event) => event.runId))]);
    const found = await plans.of(trx, versions.values());
    const read = ofRuns.flatMap((event): Read[] => {
      const versionId = versions.get(event.runId) ?? 0;
      const plan = found.get(versionId);
      return plan ? [{ ...event, versionId, meaning: meaningOf(plan, event) }] : [];
    });
    if (read.length > 0) await write(trx, read);
  };

async function write(trx: Transaction<DB>, read: readonly Read[]): Promise<void> {
  const starts = read.flatMap(({ runId, meaning }) => meaning.start.map((start) => clockOf(runId, start)));
  await startClocks(trx, starts);
  await stopTaskClocks(
    trx,
    read.flatMap(({ runId, at, meaning }) => (meaning.stop ?? []).map((subject) => ({ ...subject, runId, at }))),
  );
  await stopRunClocks(
    trx,
    read.flatMap(({ runId, at, meaning }) => (meaning.stop === null ? [{ runId, at }] : [])),
  );
  await insertNotifications(
    trx,
    read.flatMap(({ dagId, versionId, meaning }) => meaning.notices.map((notice) => ({ ...notice, dagId, versionId }))),
  );
}

const clockOf = (
  runId: number,
  { from, kind, rule, within, taskIndex, mapIndex, tryNumber }: NewDeadline,
): NewClock => ({
  ...{ runId, taskIndex, mapIndex, tryNumber, kind, rule, within },
  ...('at' in from
    ? { from: from.at, runs: 0, minRuns: 0 }
    : { from: from.reference as NewClock['from'], runs: from.runs, minRuns: from.minRuns }),
});
