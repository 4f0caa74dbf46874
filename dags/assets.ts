/**
 * Assets. A task that succeeds has updated what it names in `outlets`; a DAG whose schedule waits for that follows at once, without a
 * clock. Here one DAG collects orders, the other reports on them.
 */
import { dag } from 'millrace';

const ORDERS = 'example/orders';

const collect = dag(
  'assets',
  {
    description: 'Collects orders, for who waits for them',
    tags: ['example'],
    schedule: '@daily',
    start: '2026-01-01',
    dataIntervals: true,
  },
  ({ task }) => {
    task('collect', {}, { outlets: ORDERS }, ({ ctx }) => {
      const orders = Array.from({ length: 12 }, (_, n) => ({ id: n + 1, amount: ((n * 37) % 50) + 10 }));
      // What the event says beside the asset's name: a few facts, not the data.
      ctx.assets.emit(ORDERS, { rows: orders.length, total: orders.reduce((sum, { amount }) => sum + amount, 0) });
      return orders;
    });
  },
);

const report = dag(
  'assets_report',
  {
    description: 'Reports on orders as soon as there are new ones',
    tags: ['example'],
    schedule: { assets: ORDERS },
  },
  ({ task, bash }) => {
    task('report', ({ ctx }) => {
      for (const { asset, extra, source } of ctx.run.assetEvents ?? [])
        ctx.log.info(`${asset}: ${String(extra['rows'])} rows, by ${source?.dagId ?? 'somebody outside'}`);
    });
    // A run for assets has no logical date, so `ds` does not exist; what it was made for does.
    bash('mail', {
      command:
        "echo \"Orders: {{ triggering_asset_events['example/orders'] | map(attribute='extra.total') | join(', ') }}\"",
    });
  },
);

export default [collect, report];
