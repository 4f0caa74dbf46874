/** `kind` of a wait whose task is over, and which has a run to cancel. */
export const CANCEL_CHILD = 'cancel_child';

/**
 * Parts of a statement that ends the waits `w` for which `test` holds. Where `takesAlong` (an expression) holds too, a task that started
 * a run and takes it along when it is cancelled leaves its row behind, due at once: what is to be done then is as durable as the cancellation.
 */
export const endWaits = (test: string, takesAlong = 'true'): string => `
waits as (delete from trigger_wait w where ${test} and not (${takesAlong} and coalesce((w.spec->>'cancelChild')::bool, false))),
orphans as (
  update trigger_wait w set kind = '${CANCEL_CHILD}', due_at = clock_timestamp(), timeout_at = null, watch_key = null
  where ${test} and ${takesAlong} and coalesce((w.spec->>'cancelChild')::bool, false) returning 1)`;
