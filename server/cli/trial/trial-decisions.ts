/** What was decided with the call of a trial, before its approvals ask. Pure. */
import { fillForm } from '#schema/approval-decision.ts';
import { issueLines, type Answer } from './approval-answer.ts';
import { didYouMean } from '#sdk/near-match.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { CommandError } from '../command-error.ts';

export interface GivenDecisions {
  /** Option by the name of the task. */
  decide: { [taskId: string]: string };
  /** What is filled in, by the name of the task. */
  form: { [taskId: string]: Json };
}

/** Answers by the name of the task: the option is one of the task's, the form fits. */
export function planDecisions(specs: readonly DagSpec[], { decide, form }: GivenDecisions): Map<string, Answer> {
  const approvals = specs.flatMap(({ tasks }) => tasks.filter((task) => task.kind === 'approval'));
  const names = approvals.map((task) => task.taskId);
  const unused = Object.keys(form).find((taskId) => decide[taskId] === undefined);
  if (unused !== undefined) throw new CommandError(`--form ${unused}: say with --decide ${unused}=<option> what for.`);
  return new Map(
    Object.entries(decide).map(([taskId, option]) => {
      const task = approvals.find((approval) => approval.taskId === taskId);
      const choice = names.length > 0 ? `There are ${names.join(', ')}.` : 'There is none.';
      if (!task)
        throw new CommandError(`--decide ${taskId}: no approval has this name.${didYouMean(taskId, names)} ${choice}`);
      if (!task.options.includes(option))
        throw new CommandError(
          `--decide ${taskId}: "${option}" is none of its options.${didYouMean(option, task.options)} They are ${task.options.join(', ')}.`,
        );
      const filled = fillForm(task, option, form[taskId] ?? {});
      if ('issues' in filled)
        throw new CommandError(
          [
            `The form of "${taskId}" does not fit; give it with --form ${taskId}=<json>:`,
            ...issueLines(filled.issues),
          ].join('\n'),
        );
      return [taskId, { option, form: filled.form }];
    }),
  );
}
