/** How long runners may speak for their dispatches. */
import type { Dispatch } from '#sdk/protocol.ts';
import type { Context } from './context.ts';

/** A runner's token outlives the longest try; the engine fences it as soon as the dispatch is not the current one. */
const TOKEN_MARGIN_SECONDS = 3_600;
const TOKEN_SECONDS_WITHOUT_LIMIT = 7 * 86_400;

export const withToken = (ctx: Context, dispatch: Dispatch): Dispatch => {
  const limit = dispatch.task.executionTimeout ?? TOKEN_SECONDS_WITHOUT_LIMIT;
  return { ...dispatch, token: ctx.access.runnerToken(dispatch.dispatchId, limit + TOKEN_MARGIN_SECONDS) };
};
