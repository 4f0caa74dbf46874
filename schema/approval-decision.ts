/** What a person is asked by an approval, and what a decision makes of the task. Pure. */
import type { Json, TaskReport } from '#sdk/protocol.ts';
import type { ApprovalFields } from '#sdk/waiting-spec.ts';

/** As it is stored while it waits, templates rendered. */
export type ApprovalRequest = Pick<
  ApprovalFields,
  'subject' | 'body' | 'options' | 'rejections' | 'form' | 'users' | 'roles' | 'default' | 'onReject' | 'branches'
>;

export interface Decision {
  option: string;
  form: { [key: string]: Json };
  /** Null: nobody, its time was over. */
  by: string | null;
  note: string | null;
}

export function decisionReport(
  request: Pick<ApprovalRequest, 'rejections' | 'onReject' | 'branches'>,
  { option, form, by, note }: Decision,
): Omit<TaskReport, 'dispatchId' | 'logBytes'> {
  const decision = { decision: option, by, form, note };
  const who = by ?? 'The timeout';
  // Of before there were branches it has none
  const branch = request.branches?.[option] ?? null;
  if (branch !== null || !request.rejections.includes(option))
    return {
      outcome: 'success',
      cause: 'ok',
      message: `${who} chose '${option}'.`,
      evidence: decision,
      xcoms: { return_value: decision },
      branch,
    };
  return {
    outcome: request.onReject === 'skip' ? 'skipped' : 'failed',
    cause: 'rejected',
    message: `${who} chose '${option}'.${note === null ? '' : ` ${note}`}`,
    evidence: decision,
    retryable: false,
  };
}

/** Of those who may edit at all. */
export const mayDecide = (
  { users, roles }: Pick<ApprovalRequest, 'users' | 'roles'>,
  viewer: { name: string; role: string },
): boolean =>
  (users.length === 0 && roles.length === 0) ||
  users.includes(viewer.name) ||
  roles.some((role) => role === viewer.role);
