/** Launches that wait for their turn. */
import { expect, it } from 'vitest';
import type { Placement, Verdict } from '#db/queries/launches.ts';
import { changing } from '../../../../server/executors/launcher/changing.ts';
import type { Entry } from '../../../../server/executors/launcher/launch-context.ts';
import { createLine } from '../../../../server/executors/launcher/line.ts';
import type { Target } from '../../../../server/executors/launcher/target.ts';

function lineOf(place: (launches: Placement[]) => Promise<Map<string, Verdict>>) {
  const held: string[] = [];
  const errors: unknown[] = [];
  const clock = { now: 0 };
  const line = createLine({
    place,
    holds: ({ launch }, reason) => held.push(`${launch.uuid} ${reason}`),
    now: () => clock.now,
    onError: (error) => errors.push(error),
  });
  return { line, held, errors, clock };
}
const entryOf = (uuid: string): Entry =>
  ({
    key: { runId: 1, taskIndex: 0, mapIndex: -1, uuid },
    launch: { uuid, notBefore: null, reason: null },
    object: changing(null),
  }) as unknown as Entry;
const targetIn = (namespace: string): Target => ({ kind: 'pod', namespace, name: 'x', onFinish: 'delete' }) as Target;
const never = new AbortController().signal;
const admitAll = (launches: Placement[]) =>
  Promise.resolve(new Map(launches.map((launch): [string, Verdict] => [launch.uuid, 'admitted'])));

it('places what comes in one tick together, in the order of coming', async () => {
  const asked: string[][] = [];
  const { line } = lineOf((launches) => {
    asked.push(launches.map((launch) => launch.uuid));
    return admitAll(launches);
  });
  await Promise.all(['a', 'b', 'c'].map((uuid) => line.wait(entryOf(uuid), targetIn('n'), never)));
  expect(asked).toEqual([['a', 'b', 'c']]);
  await line.stop();
});

it('keeps what has no room, says why, and asks again when something ends', async () => {
  let room = 1;
  const { line, held } = lineOf((launches) =>
    Promise.resolve(
      new Map(launches.map((launch): [string, Verdict] => [launch.uuid, room-- > 0 ? 'admitted' : 'cluster_full'])),
    ),
  );
  await line.wait(entryOf('a'), targetIn('n'), never);
  const second = line.wait(entryOf('b'), targetIn('n'), never);
  await expect.poll(() => held).toEqual(['b cluster_full']);
  room = 1;
  line.freed('n');
  await second;
  expect(line.length()).toBe(0);
  await line.stop();
});

it('does not let one full namespace keep the others', async () => {
  const { line, clock } = lineOf(admitAll);
  await line.wait(entryOf('a'), targetIn('full'), never);
  line.tried('full', 'quota');
  const waits = line.wait(entryOf('b'), targetIn('full'), never).then(() => 'b');
  await line.wait(entryOf('c'), targetIn('free'), never);
  expect(line.length()).toBe(1);
  clock.now = 10_000;
  line.freed('full');
  expect(await waits).toBe('b');
  await line.stop();
});

it('lets go of who is not wanted any more', async () => {
  const { line } = lineOf(() => Promise.resolve(new Map()));
  const gone = new AbortController();
  const waits = line.wait(entryOf('a'), targetIn('n'), gone.signal);
  gone.abort(new Error('not wanted'));
  await expect(waits).rejects.toThrow('not wanted');
  expect(line.length()).toBe(0);
  await line.stop();
});

it('goes on after an error of the database', async () => {
  let broken = true;
  const { line, errors } = lineOf((launches) => {
    if (!broken) return admitAll(launches);
    broken = false;
    return Promise.reject(new Error('away'));
  });
  await line.wait(entryOf('a'), targetIn('n'), never);
  expect(errors).toHaveLength(1);
  await line.stop();
});
