/** An approval waits for a person. Only its timeout is looked at here; decisions come through the API. */
import type { ApprovalTaskSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { resolveParams } from '#sdk/params.ts';
import { decisionReport, type ApprovalRequest } from '#schema/approval-decision.ts';
import type { DueWait } from '#db/queries/trigger-waits.ts';
import { createRender } from '../operators/prepare-launch.ts';
import { failed, type Settle, type Settled } from './triggerer-deps.ts';

/** No look is due before its time is over. */
const NEVER = '9999-12-31T00:00:00Z';

export const settleApproval: Settle<ApprovalTaskSpec> = (_deps, dispatch) => {
  const { task } = dispatch;
  const render = createRender(dispatch);
  const request: ApprovalRequest = {
    subject: render('subject', task.subject),
    body: task.body === null ? null : render('body', task.body),
    options: task.options,
    rejections: task.rejections,
    form: task.form,
    users: task.users.map((name, i) => render(`users[${i}]`, name)),
    roles: task.roles,
    default: task.default,
    onReject: task.onReject,
    branches: task.branches,
  };
  const left = task.timeout === null ? null : Math.max(0, task.timeout - (dispatch.waiting?.elapsed ?? 0));
  return Promise.resolve({
    outcome: 'deferred',
    cause: 'ok',
    defer: {
      kind: 'approval',
      spec: request as unknown as { [key: string]: Json },
      dueAt: NEVER,
      timeoutSeconds: left,
      watchKey: null,
    },
  });
};

/** Its time is over. */
export function overdueApproval(wait: DueWait): Settled | null {
  if (wait.secondsLeft === null || wait.secondsLeft > 0) return null;
  const request = wait.spec as unknown as ApprovalRequest;
  if (request.default === null) return failed('wait_timeout', 'Nobody decided in time.');
  const filled = resolveParams(request.form, {});
  if (!filled.ok)
    return failed(
      'wait_timeout',
      `Nobody decided in time, and the form has no default for ${filled.issues[0]?.path ?? ''}.`,
    );
  return decisionReport(request, { option: request.default, form: filled.params, by: null, note: null });
}
