/**
 * The pictures of the README, taken of the real service with the example DAGs. `node test/e2e/run.mjs screenshots -u` renews those in
 * docs/images; otherwise they are only taken, into the test's output.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type Page, type TestInfo } from '@playwright/test';
import { waitFor } from '../helpers/wait-for.ts';
import { startService, type TestService } from './service.ts';

const root = join(import.meta.dirname, '../..');
const EXAMPLES = ['retry_and_rules', 'ml_training', 'etl_daily'];
let service: TestService;
let page: Page;

test.describe.configure({ mode: 'serial' });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(180_000);
  service = await startService(join(root, 'dags'));
  await service.cli('deploy', join(import.meta.dirname, 'pictures/orders_report.yaml'));
  for (const dag of EXAMPLES)
    await waitFor(() => service.cli('trigger', dag), { timeoutMs: 30_000, what: `${dag} to be loaded and triggered` });
  // Some history, of good days and bad ones.
  for (const limit of [20, 20, 5, 20, 20]) {
    const runs = EXAMPLES.map((dag) => service.cli('trigger', dag, '--wait'));
    await Promise.all([...runs, runOrders(limit)]);
  }
  page = await browser.newPage({ viewport: { width: 1360, height: 860 }, deviceScaleFactor: 2, colorScheme: 'light' });
  await page.goto(service.link);
});
test.afterAll(async () => {
  await page?.close();
  await service?.stop();
});

/** The command's exit status tells how the run ended: a failed one is no mistake here. */
const runOrders = (limit: number) =>
  service.cli('trigger', 'orders_report', '--conf', JSON.stringify({ limit }), '--wait').catch(() => '');

async function take(name: string, info: TestInfo): Promise<void> {
  const committed = join(root, 'docs/images', `${name}.png`);
  // No row lights up under a pointer that nobody sees.
  await page.mouse.move(0, 0);
  const renew = !existsSync(committed) || ['all', 'changed'].includes(info.config.updateSnapshots);
  await page.screenshot({ path: renew ? committed : info.outputPath(`${name}.png`), animations: 'disabled' });
}

const openRun = async (dag: string) => {
  await page.goto(`${service.url}/dags/${dag}`);
  await page.locator('tr[data-run] a').first().click();
};

test('the DAG list', async ({}, info) => {
  await page.setViewportSize({ width: 1360, height: 520 });
  await expect(page.locator('a[data-state=SUCCESS]').first()).toBeVisible();
  await expect(page.locator('a[data-state=RUNNING], a[data-state=QUEUED]')).toHaveCount(0, { timeout: 60_000 });
  await service.cli('trigger', 'ml_training');
  await expect(page.locator('a[data-state=RUNNING]')).toHaveCount(1);
  await take('dag-list', info);
});

test('a DAG and its runs', async ({}, info) => {
  await page.setViewportSize({ width: 1360, height: 720 });
  await page.goto(`${service.url}/dags/orders_report`);
  await expect(page.locator('tr[data-run-state=FAILED]').first()).toBeVisible();
  await take('dag-page', info);
});

test('a run that opens on its first failure, light and dark', async ({}, info) => {
  await page.setViewportSize({ width: 1360, height: 760 });
  await runOrders(12);
  await openRun('orders_report');
  await expect(page.getByRole('button', { name: 'Try 3' })).toBeVisible();
  await expect(page.getByTestId('log-end')).toBeVisible();
  await take('run-page-light', info);
  await page.emulateMedia({ colorScheme: 'dark' });
  await take('run-page-dark', info);
  await page.emulateMedia({ colorScheme: 'light' });
});

test('a run on the way', async ({}, info) => {
  await service.cli('trigger', 'ml_training', '--conf', '{"epochs": 5000}');
  await openRun('ml_training');
  await page.getByRole('option', { name: 'train' }).click();
  await expect(page.locator('[data-task=train][data-task-state=RUNNING]')).toBeVisible();
  await expect(page.getByRole('log')).toContainText('epoch 1000:', { timeout: 20_000 });
  await take('run-live', info);
});

test('the trigger dialog', async ({}, info) => {
  await page.goto(`${service.url}/dags/ml_training`);
  await page.getByRole('button', { name: 'Trigger ml_training' }).click();
  await expect(page.getByRole('dialog').getByRole('table')).toBeVisible();
  await take('trigger', info);
});
