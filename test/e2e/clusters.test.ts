import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { startService, type TestService } from './service.ts';

let service: TestService;
const home = mkdtempSync(join(tmpdir(), 'millrace-e2e-clusters-'));

test.beforeAll(async () => {
  test.setTimeout(180_000);
  service = await startService(home);
});
test.afterAll(async () => {
  await service?.stop();
  rmSync(home, { recursive: true, force: true });
});

test('clusters come, change and go while one looks', async ({ page }) => {
  await page.goto(service.link);
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Clusters' }).click();
  await expect(page.getByText('No clusters yet')).toBeVisible();

  const token = join(home, 'token');
  writeFileSync(token, 'no-token');
  const at = ['--server', 'https://127.0.0.1:1', '--server-token-file', token, '--namespace', 'jobs,etl'];
  await service.cli('cluster', 'add', 'eu', ...at);
  const row = page.locator('tr[data-cluster=eu]');
  await expect(row.locator('[data-health=UNREACHABLE]')).toHaveText(/unreachable/);
  await expect(row).toContainText('The API server cannot be reached');
  await expect(row.getByText('quotas unknown')).toHaveCount(2);
  await expect(row.locator('[data-pods=running]')).toHaveText('0');

  await service.cli('cluster', 'pause', 'eu');
  await expect(row.getByText('paused')).toBeVisible();
  await service.cli('cluster', 'set', 'eu', '--namespace', 'ml');
  await expect(row.getByText('quotas unknown')).toHaveCount(1);
  await expect(row).toContainText('ml');
  await service.cli('cluster', 'remove', 'eu');
  await expect(page.getByText('No clusters yet')).toBeVisible();
});
