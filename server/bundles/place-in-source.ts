import type { SpecIssue } from '#sdk/validate-dag-spec.ts';

/** A line of a DAG file that an issue of its spec is about. */
export interface Place {
  line: number | null;
  column: number | null;
}

/** In TypeScript: where the task's id, else the DAG's, is written out. */
export function placeInSource(text: string, issue: SpecIssue, input: unknown): Place {
  const spec = input as { dagId?: unknown; tasks?: { taskId?: unknown }[] };
  const index = /^tasks\[(\d+)\]/.exec(issue.path)?.[1];
  const id = index === undefined ? spec.dagId : spec.tasks?.[Number(index)]?.taskId;
  const key = /^(\w+)/.exec(issue.path)?.[1] ?? '';
  const found = index === undefined ? indexOfPattern(text, `\\b${key.replace('Date', '(Date)?')}\\s*:`) : -1;
  const at = found >= 0 ? found : indexOfPattern(text, `['"\`]${escape(String(id))}['"\`]`);
  if (at < 0) return { line: null, column: null };
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const indexOfPattern = (text: string, pattern: string) => text.search(new RegExp(pattern));
