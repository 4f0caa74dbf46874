/** What a task's code says of the assets that it updates. It travels beside the results, under a key of its own. */
import type { Dispatch, Json } from './protocol.ts';

export const ASSET_KEY = 'millrace.assets';
/** Characters of JSON: of all that a task says, or of one update from outside. */
export const MAX_EXTRA_LENGTH = 65_536;

export type AssetExtras = { [asset: string]: { [key: string]: Json } };

export interface AssetEmitter {
  /** What the event of an asset among the task's `outlets` says beside its name, once the task has succeeded; the last call counts. */
  emit(asset: string, extra?: { readonly [key: string]: unknown }): void;
}

/** A plain property, since the class of an error differs between copies of the SDK. */
const refusal = (message: string): Error => Object.assign(new Error(message), { millrace: 'fail' });

/** `push` gets all that has been said so far. */
export function createEmitter(
  { taskId, task }: Pick<Dispatch, 'taskId' | 'task'>,
  push: (extras: AssetExtras) => void,
): AssetEmitter['emit'] {
  const extras: AssetExtras = {};
  return (asset, extra = {}) => {
    // A version from before there were outlets has none
    if (!(task.outlets as string[] | undefined)?.includes(asset))
      throw refusal(`Task '${taskId}' has no outlet '${asset}': name it in the task's 'outlets'.`);
    const text = JSON.stringify(extra) as string | undefined;
    const value = text === undefined ? null : (JSON.parse(text) as Json);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw refusal(`What asset '${asset}' is to say is not an object. Give { key: value }.`);
    extras[asset] = value;
    const { length } = JSON.stringify(extras);
    if (length > MAX_EXTRA_LENGTH)
      throw refusal(`Its assets are to say ${length} characters as JSON; at most ${MAX_EXTRA_LENGTH} are allowed.`);
    push({ ...extras });
  };
}
