import type { ConnectionValue, Dispatch } from '#sdk/protocol.ts';

/** The connection that the task names, of a kind that it can use. That it is there was looked at before. */
export function connectionOf(dispatch: Dispatch, id: string, kinds: readonly string[]): ConnectionValue {
  const found = namedConnection(dispatch.connections, id);
  if (!kinds.includes(found.kind.toLowerCase()))
    throw new Error(
      `The connection '${id}' is of kind '${found.kind}'; a task of kind '${dispatch.task.kind}' needs ${kinds.join(' or ')}.`,
    );
  return found;
}

export function namedConnection(connections: { readonly [id: string]: ConnectionValue }, id: string): ConnectionValue {
  const found = Object.hasOwn(connections, id) ? connections[id] : undefined;
  if (!found) throw new Error(`There is no connection '${id}'.`);
  return found;
}
