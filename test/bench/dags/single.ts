/** One task that tells when its first line ran: microseconds of the machine's monotonic clock. */
import { dag } from 'millrace';

export const single = dag('bench_single', { maxActiveRuns: 10_000, maxActiveTasks: 100_000 }, ({ task }) => {
  task('only', () => Number(process.hrtime.bigint() / 1000n));
});
