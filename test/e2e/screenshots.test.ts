/**
 * The pictures of the README, taken of the real service with the example DAGs. `node test/e2e/run.mjs screenshots -u` renews those in
 * docs/images; otherwise they are only taken, into the test's output.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type Page, type TestInfo } from '@playwright/test';
import { startService, type TestService } from './service.ts';

const root = join(import.meta.dirname, '../..');
let service: TestService;
let page: Page;

test.describe.configure({ mode: 'serial' });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(180_000);
  service = await startService(join(root, 'dags'));
  for (const dag of ['retry_and_rules', 'ml_training', 'etl_daily', 'etl_daily']) await service.cli('trigger', dag);
  page = await browser.newPage({ viewport: { width: 1360, height: 860 }, deviceScaleFactor: 2, colorScheme: 'light' });
  await page.goto(service.link);
});
test.afterAll(async () => {
  await page?.close();
  await service?.stop();
});

async function take(name: string, info: TestInfo): Promise<void> {
  const committed = join(root, 'docs/images', `${name}.png`);
  const renew = !existsSync(committed) || ['all', 'changed'].includes(info.config.updateSnapshots);
  await page.screenshot({ path: renew ? committed : info.outputPath(`${name}.png`), animations: 'disabled' });
}

const openRun = async (dag: string) => {
  await page.goto(`${service.url}/dags/${dag}`);
  await page.locator('tr[data-run] a').first().click();
};

test('the DAG list', async ({}, info) => {
  await expect(page.locator('tr[data-dag=retry_and_rules] a[data-state=SUCCESS]').first()).toBeVisible({
    timeout: 60_000,
  });
  await expect(page.locator('tr[data-dag=etl_daily] a[data-state=SUCCESS]')).toHaveCount(2, { timeout: 60_000 });
  await service.cli('trigger', 'ml_training');
  await take('dag-list', info);
});

test('a DAG and its runs', async ({}, info) => {
  await page.goto(`${service.url}/dags/etl_daily`);
  await expect(page.locator('tr[data-run-state=SUCCESS]').first()).toBeVisible();
  await take('dag-page', info);
});

test('a run that opens on its first failure, light and dark', async ({}, info) => {
  await openRun('retry_and_rules');
  await expect(page.getByTestId('cause')).toBeVisible();
  await expect(page.getByTestId('log-end')).toBeVisible();
  await take('run-page-light', info);
  await page.emulateMedia({ colorScheme: 'dark' });
  await take('run-page-dark', info);
  await page.emulateMedia({ colorScheme: 'light' });
});

test('a run on the way', async ({}, info) => {
  await service.cli('trigger', 'retry_and_rules');
  await openRun('retry_and_rules');
  await expect(page.locator('[data-task-state=RUNNING]').first()).toBeVisible();
  await take('run-live', info);
});

test('the trigger dialog', async ({}, info) => {
  await page.goto(`${service.url}/dags/ml_training`);
  await page.getByRole('button', { name: 'Trigger ml_training' }).click();
  await expect(page.getByRole('dialog').getByRole('table')).toBeVisible();
  await take('trigger', info);
});
