import { runText } from '../../messages/run.ts';
import { announcer } from '../../state/announcer.svelte.ts';
import type { RunLive } from './run-live.svelte.ts';
import { countStates, isFinal } from './task-rows.ts';

/** Tells a screen reader in one sentence what has happened since the last one. */
export function announceRun(run: () => RunLive): void {
  let before: { of: RunLive; done: number; failed: number; state: string } | null = null;
  $effect(() => {
    const live = run();
    const counts = countStates(live.rows);
    const failed = counts.get('FAILED') ?? 0;
    const done = [...counts].reduce((sum, [state, count]) => sum + (isFinal(state) ? count : 0), 0);
    const state = live.run?.state ?? '';
    if (before?.of === live && live.allLoaded) {
      if (state !== before.state && !live.live) announcer.say(runText().announceEnd(state.toLowerCase()));
      else if (done > before.done)
        announcer.say(runText().announce(done - before.done, Math.max(0, failed - before.failed)));
    }
    if (live.allLoaded) before = { of: live, done, failed, state };
  });
}
