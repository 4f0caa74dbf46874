/** What Millrace does in a namespace where it runs tasks, and nothing else: the Role of its credentials. */
import type { AccessAnswer } from './reviews.ts';
import type { Access } from './kube-types.ts';

export interface RequiredAccess extends Access {
  /** What cannot be done without it, to end a sentence with. */
  purpose: string;
  /** Tasks run without it; something is not shown then. */
  optional?: true;
}

/** In the order of what breaks first. Other kinds are needed only where `resource` tasks use them. */
export const REQUIRED_PERMISSIONS: readonly RequiredAccess[] = [
  { verb: 'create', group: '', resource: 'pods', purpose: 'no task can start' },
  { verb: 'get', group: '', resource: 'pods', purpose: 'Pods cannot be recognised after a lost answer' },
  { verb: 'list', group: '', resource: 'pods', purpose: 'Pods cannot be found again after a restart' },
  { verb: 'watch', group: '', resource: 'pods', purpose: 'the ends of Pods are not noticed' },
  { verb: 'delete', group: '', resource: 'pods', purpose: 'Pods cannot be stopped or cleaned up' },
  { verb: 'get', group: '', resource: 'pods', subresource: 'log', purpose: 'there are no logs of Pods' },
  {
    verb: 'list',
    group: '',
    resource: 'events',
    purpose: 'reasons why a Pod does not start are not shown',
    optional: true,
  },
  { verb: 'list', group: '', resource: 'resourcequotas', purpose: 'quotas are not shown', optional: true },
  { verb: 'list', group: '', resource: 'limitranges', purpose: 'limit ranges are not shown', optional: true },
];

/** For the whole cluster, and only where tasks of the Millrace image run in Pods. */
export const TOKEN_REVIEW_PERMISSION: RequiredAccess = {
  verb: 'create',
  group: 'authentication.k8s.io',
  resource: 'tokenreviews',
  purpose: 'code tasks in Pods cannot sign in (bind the ClusterRole system:auth-delegator)',
};

/** `pods/log` and the like. */
export const resourceName = ({ resource, subresource }: Access): string =>
  subresource === undefined ? resource : `${resource}/${subresource}`;

/** A sentence for each permission that is not granted in `namespace`; none when all is well. */
export function describeMissing(namespace: string, answers: readonly AccessAnswer[]): string[] {
  return answers.flatMap((answer) => {
    if (answer.allowed) return [];
    const required = [...REQUIRED_PERMISSIONS, TOKEN_REVIEW_PERMISSION].find(
      ({ verb, group, resource, subresource }) =>
        verb === answer.verb &&
        group === answer.group &&
        resource === answer.resource &&
        subresource === answer.subresource,
    );
    const group = answer.group === '' ? '' : ` of ${answer.group}`;
    const effect = required ? `: ${required.purpose}` : '';
    return [`May not "${answer.verb}" ${resourceName(answer)}${group} in namespace ${namespace}${effect}.`];
  });
}

/** Whether tasks can run in spite of what is missing. */
export const isUsable = (answers: readonly AccessAnswer[]): boolean =>
  REQUIRED_PERMISSIONS.every(
    (required) =>
      required.optional ||
      answers.some(
        (answer) =>
          answer.allowed &&
          answer.verb === required.verb &&
          answer.group === required.group &&
          answer.resource === required.resource &&
          answer.subresource === required.subresource,
      ),
  );
