/** When so many leases run out together that the fault is hardly the runners'. Pure. */
import { HOLD_SECONDS, type LeaseCounts } from '#db/queries/lease-breaker.ts';

/** So many may always end: the tasks of a worker or two. */
const ALWAYS = 10;
const SHARE = 0.2;

/** One network, proxy or stopped clock between all workers and the database looks like the death of each of them. */
export const isMassExpiry = ({ live, expired, silent }: LeaseCounts): boolean =>
  expired > 0 && silent > Math.max(ALWAYS, SHARE * live);

/** `heldSeconds`: for how long sweeps have seen a mass expiry; null: this one does not. */
export function judgeSweep({ expired }: LeaseCounts, heldSeconds: number | null): 'nothing' | 'end' | 'hold' {
  if (expired === 0) return 'nothing';
  return heldSeconds !== null && heldSeconds < HOLD_SECONDS ? 'hold' : 'end';
}
