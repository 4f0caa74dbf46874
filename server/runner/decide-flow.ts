/** From what a decision answered to which tasks go on. */
import type { BranchTaskSpec, ShortCircuitTaskSpec } from '#sdk/dag-spec.ts';
import { didYouMean } from '#sdk/near-match.ts';
import type { Dispatch, Json, TaskReport } from '#sdk/protocol.ts';
import { isWhole, type ResultFile } from './large-results.ts';
import { NO_MASK, type Mask } from './mask.ts';

type Verdict = Omit<TaskReport, 'dispatchId' | 'logBytes'>;
const MOST_NAMED = 20;

/** The verdict with the decision in it; a success that decides nothing valid becomes a failure. `files`: results too large for it. */
export function withDecision(
  verdict: Verdict,
  { task, downstream }: Pick<Dispatch, 'task' | 'downstream'>,
  mask: Mask = NO_MASK,
  files: { readonly [key: string]: ResultFile } = {},
): Verdict {
  if (verdict.outcome !== 'success') return verdict;
  const file = files['return_value'];
  // Beside other large results a small one may be in a file too
  const answer = file && isWhole(file) ? (JSON.parse(file.preview) as Json) : verdict.xcoms?.['return_value'];
  const isLarge = file !== undefined && answer === undefined;
  if (task.kind === 'short_circuit')
    return { ...verdict, ...decideShortCircuit(task, isLarge || isTrue(answer ?? null)) };
  if (task.kind !== 'branch') return verdict;
  const chosen = isLarge ? tooLarge(file) : decideBranch(task, downstream, answer ?? null, mask);
  if (typeof chosen !== 'string') return { ...verdict, branch: chosen };
  return { ...verdict, outcome: 'failed', cause: 'branch_invalid', message: chosen, retryable: false };
}

const tooLarge = ({ bytes }: ResultFile): string =>
  `A branch answers with the id of a task, a list of them, or nothing; not with ${Math.ceil(bytes / 1024)} KiB.`;

/** Ids of the direct downstream tasks that go on, or what is wrong with the answer. */
export function decideBranch(
  task: BranchTaskSpec,
  downstream: readonly string[],
  answer: Json,
  mask: Mask = NO_MASK,
): string[] | string {
  const named = answer === null ? [] : Array.isArray(answer) ? answer : [answer];
  const wrong = named.find((each) => typeof each !== 'string');
  if (wrong !== undefined)
    return `A branch answers with the id of a task, a list of them, or nothing; not with ${mask.shorten(JSON.stringify(wrong), 100)}.`;
  const ids = named as string[];
  const direct = new Set(downstream);
  const unknown = ids.find((id) => !direct.has(id) && !Object.hasOwn(task.targets, id));
  if (unknown === undefined)
    return [...new Set(ids.flatMap((id) => (direct.has(id) ? [id] : (task.targets[id] ?? []))))];
  const allowed = [...downstream, ...Object.keys(task.targets)];
  const list = allowed.slice(0, MOST_NAMED).join(', ') + (allowed.length > MOST_NAMED ? ', …' : '');
  return `'${mask.shorten(unknown, 200)}' does not wait for '${task.taskId}' directly, so it cannot be chosen.${didYouMean(unknown.slice(0, 200), allowed)} It may choose ${list || 'nothing: no task waits for it'}.`;
}

function decideShortCircuit(task: ShortCircuitTaskSpec, goesOn: boolean): Pick<Verdict, 'branch' | 'skipAll'> {
  if (goesOn) return { branch: null };
  return { branch: [], ...(task.ignoreTriggerRules && { skipAll: true }) };
}

/** As Python sees it: nothing, zero and what is empty are not so. */
function isTrue(value: Json): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
