/** Whether somebody does what is to be done. */
import type { ProcessFacts } from '#db/queries/doctor/process-facts.ts';
import type { Overdue, StuckConsumer, WaitingQueue } from '#db/queries/doctor/work-facts.ts';
import type { Finding } from '#schema/doctor.ts';

export function judgeQueues(queues: readonly WaitingQueue[], processes: readonly ProcessFacts[]): Finding[] {
  const served = new Set(processes.flatMap((one) => one.queues));
  return queues
    .filter(({ queue }) => !served.has(queue))
    .map(({ queue, waiting }) => ({
      severity: 'error',
      what: `${waiting === 1 ? '1 task waits' : `${waiting} tasks wait`}, and nobody serves it.`,
      where: `queue ${queue}`,
      advice: queue.startsWith('@')
        ? 'Start "millrace scheduler", which serves it.'
        : `Start "millrace worker --queues ${queue}", or give these tasks another queue.`,
    }));
}

export const judgeOverdue = (found: readonly Overdue[]): Finding[] =>
  found.map(({ state, count, runId, taskIndex, mapIndex, seconds }) => ({
    severity: 'error',
    what: `${count} task instances are ${state} although their deadline passed, the first ${seconds} s ago.`,
    where: `run ${runId}, task ${taskIndex}${mapIndex < 0 ? '' : `[${mapIndex}]`}`,
    advice: 'Schedulers keep deadlines: look at whether one runs, and at the errors in its log.',
  }));

export const judgeConsumers = (found: readonly StuckConsumer[]): Finding[] =>
  found.map(({ name, failures, error }) => ({
    severity: 'error',
    what: `It has failed ${failures} times at the same event: ${error}`,
    where: `event consumer ${name}`,
    advice: 'Mend what the error says; it goes on by itself.',
  }));
