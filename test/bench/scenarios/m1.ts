/** M1: a task mapped over a list of ten thousand, beside a DAG that has them all as tasks of its own. */
import { drain, onEngine, type Drained } from '../drain.ts';
import { measure, type Measured, type Trees } from '../measure.ts';
import { reportOf } from '../../helpers/engine.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';

const SIDE = 'engine and a worker that only reports, one process';
const SLOTS = 500;

const bash = (taskId: string, more: object = {}) => ({ taskId, kind: 'bash', command: 'true', ...more });
const each = { over: { kind: 'product', axes: { item: { kind: 'result', task: 'list', key: 'return_value' } } } };

const mapped = (width: number) => ({
  dagId: 'mapped',
  maxActiveTasks: SLOTS,
  tasks: [
    bash('list'),
    bash('each', { map: { ...each, limit: width } }),
    bash('reduce', { inputs: { all: { task: 'each', key: 'return_value' } } }),
  ],
});
const plain = (width: number) => {
  const wide = Array.from({ length: width }, (_, i) => bash(`each_${i}`, { upstream: ['list'] }));
  const reduce = bash('reduce', { upstream: wide.map(({ taskId }) => taskId) });
  return { dagId: 'plain', maxActiveTasks: SLOTS, tasks: [bash('list'), ...wide, reduce] };
};

interface Rows {
  mapped: Row;
  plain: Row;
  ratio: Row;
}

async function round(bench: Bench, rows: Rows, side: Drained, width: number): Promise<void> {
  const { pid, admin } = bench.postgres;
  const trees: Trees = { node: [process.pid], database: [pid], admin, cores: bench.machine.cores };
  const list = Array.from({ length: width }, (_, i) => ({ id: i, name: `item ${i}` }));
  const run = async (dagId: number): Promise<Measured<void>> =>
    measure(trees, async () => {
      await side.engine.createRuns([{ dagId, kind: 'manual' }]);
      const report = (dispatch: Parameters<typeof reportOf>[0] & { taskId: string }) =>
        reportOf(dispatch, 'success', { xcoms: { return_value: dispatch.taskId === 'list' ? list : 1 } });
      await drain(side, width + 2, SLOTS, { report });
    });
  const one = await run(await side.deploy(plain(width)));
  const other = await run(await side.deploy(mapped(width)));
  const { rows: ended } = await side.pool.query<{ states: string[] }>(
    'select array_agg(state::text) as states from dag_run',
  );
  if (ended[0]?.states.some((state) => state !== 'success'))
    rows.mapped.failures.push(`runs ended ${ended[0].states.join()}`);
  add(rows.plain, one.cost.wallMs, one.cost);
  add(rows.mapped, other.cost.wallMs, other.cost);
  add(rows.ratio, other.cost.wallMs / one.cost.wallMs, other.cost);
  bench.log(
    `M1 ${width} instances: mapped ${other.cost.wallMs.toFixed(0)} ms, as tasks ${one.cost.wallMs.toFixed(0)} ms`,
  );
}

function add(row: Row, value: number, cost: Row['costs'][number]): void {
  row.values.push(value);
  row.costs.push(cost);
}

export const m1: Scenario = {
  id: 'M1',
  title: 'a map over 10,000 items',
  async run(bench) {
    const width = bench.options.quick ? 1000 : 10_000;
    const named = width.toLocaleString('en');
    const tasks = width + 2;
    const rows: Rows = {
      mapped: newRow({
        key: 'M1.mapped',
        workload: `list → ${named} instances → reduce`,
        unit: 'ms',
        side: SIDE,
        tasks,
      }),
      plain: newRow({ key: 'M1.plain', workload: `list → ${named} tasks → reduce`, unit: 'ms', side: SIDE, tasks }),
      ratio: newRow({ key: 'M1.ratio', workload: 'mapped against tasks of its own', unit: 'ratio', side: SIDE, tasks }),
    };
    for (let n = 0; n < (bench.options.rounds ?? 3); n++)
      await onEngine(bench, 'm1', (side) => round(bench, rows, side, width));
    return Object.values(rows);
  },
};
