/** Which variables and connections a task refers to: found in its spec once, so that a dispatch carries these and no others. */
import type { TaskSpec } from '#sdk/dag-spec.ts';

export interface ValueReferences {
  variables: readonly string[];
  connections: readonly string[];
}

const NAME = `\\s*['"]([\\w.-]+)['"]`;
/** `var.value.x`, `var.json.x`, `var.value['x']`, `var.value.get('x')`; in inline code `variable('x')`. */
const VARIABLES = [
  /\bvar\.(?:value|json)\.(?!get\s*\()(\w+)/g,
  new RegExp(`\\bvar\\.(?:value|json)(?:\\[|\\.get\\s*\\()${NAME}`, 'g'),
  new RegExp(`\\bvariable\\(${NAME}`, 'g'),
];
/** `conn.x`, `conn['x']`, `conn.get('x')`; in inline code `connection('x')`. */
const CONNECTIONS = [
  /\bconn\.(?!get\s*\()(\w+)/g,
  new RegExp(`\\bconn(?:\\[|\\.get\\s*\\()${NAME}`, 'g'),
  new RegExp(`\\bconnection\\(${NAME}`, 'g'),
];

/** `text` is the task as JSON with its quotes unescaped. Null: it refers to none, as nearly all tasks. */
export function valueReferences(task: TaskSpec, text: string): ValueReferences | null {
  const variables = new Set<string>(task.variables);
  const connections = new Set<string>(task.connections);
  // Of any kind of task that has such a field
  if ('connection' in task && typeof task.connection === 'string') connections.add(task.connection);
  if (/\bvar\.|variable\(/.test(text)) addAll(variables, text, VARIABLES);
  if (/\bconn\b|connection\(/.test(text)) addAll(connections, text, CONNECTIONS);
  if (variables.size + connections.size === 0) return null;
  return { variables: [...variables].sort(), connections: [...connections].sort() };
}

function addAll(names: Set<string>, text: string, patterns: readonly RegExp[]): void {
  for (const pattern of patterns) for (const [, name] of text.matchAll(pattern)) if (name) names.add(name);
}
