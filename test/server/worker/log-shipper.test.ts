import { expect, it } from 'vitest';
import { createLogShipper } from '#server/worker/log-shipper.ts';
import { waitFor } from '../../helpers/wait-for.ts';

it('says when it holds more than it wants to, and when there is room again', async () => {
  const said: boolean[] = [];
  const waiting: (() => void)[] = [];
  const shipper = createLogShipper({
    append: () => new Promise((resolve) => waiting.push(resolve)),
    onError: (error) => expect.fail(String(error)),
    onFull: (full) => said.push(full),
  });
  const body = `${'x'.repeat(999_999)}\n`;
  for (let n = 0; n < 16; n += 1) shipper.push({ dispatchId: 'd', offset: n * body.length, body });
  expect(said).toEqual([]);
  shipper.push({ dispatchId: 'd', offset: 16 * body.length, body });
  expect(said).toEqual([true]);
  const flushed = shipper.flushed('d');
  for (let n = 0; n < 17; n += 1) (await waitFor(() => waiting.shift()))();
  await flushed;
  await waitFor(() => said.length > 1);
  expect(said).toEqual([true, false]);
  await shipper.stop();
});
