/** An examination of the deployment: what is wrong with it, and what to do. */
import { builder } from '../builder.ts';
import type { CheckResult, Finding } from '../doctor.ts';
import { badInput } from '../errors.ts';
import { parseNumericId } from '../global-id.ts';

const FindingSeverity = builder.enumType('FindingSeverity', {
  description: 'How bad it is.',
  values: {
    INFO: { value: 'info', description: 'Good to know.' },
    WARNING: { value: 'warning', description: 'It works, and will not for ever.' },
    ERROR: { value: 'error', description: 'Something does not work.' },
  } as const,
});

const FindingType = builder.objectRef<Finding>('DoctorFinding').implement({
  description: 'Something that a person should know of.',
  authScopes: { administer: true },
  fields: (t) => ({
    severity: t.field({ type: FindingSeverity, description: 'How bad it is.', resolve: ({ severity }) => severity }),
    what: t.exposeString('what', { description: 'What was found.' }),
    where: t.exposeString('where', { description: 'The process, table, queue or run that it is about.' }),
    advice: t.exposeString('advice', { description: 'What to do; empty where nothing is to be done.' }),
  }),
});

const CheckType = builder.objectRef<CheckResult>('DoctorCheck').implement({
  description: 'One thing that was looked at.',
  authScopes: { administer: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What was looked at.' }),
    findings: t.field({
      type: [FindingType],
      description: 'None: all is well.',
      resolve: ({ findings }) => findings,
    }),
  }),
});

builder.queryField('doctor', (t) =>
  t.field({
    type: [CheckType],
    authScopes: { administer: true },
    complexity: 100,
    description:
      'Examines the deployment: database, clocks, releases, processes, deadlines, and whether the events of the newest runs explain their rows.',
    args: {
      runId: t.arg.id({ description: 'Replay the events of this run alone, and look at nothing else.' }),
    },
    resolve: (_root, { runId }, ctx) => ctx.doctor({ runId: readRunId(runId) }),
  }),
);

function readRunId(id: string | null | undefined): number | null {
  if (id == null) return null;
  const runId = parseNumericId('DagRun', id);
  if (runId === undefined) throw badInput(`runId: "${id}" is no id of a run.`);
  return runId;
}
