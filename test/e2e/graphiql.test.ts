import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { startService, type TestService } from './service.ts';

let service: TestService;
let page: Page;
const dags = mkdtempSync(join(tmpdir(), 'millrace-graphiql-'));
const problems: string[] = [];
const requests: string[] = [];

test.describe.configure({ mode: 'serial' });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(120_000);
  service = await startService(dags);
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
  // Of the context: what workers load is among it
  context.on('request', (request) => requests.push(request.url()));
  page = await context.newPage();
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('websocket', (socket) => requests.push(socket.url()));
  await page.goto(service.link);
});
test.afterAll(async () => {
  await page?.context().close();
  await service?.stop();
  rmSync(dags, { recursive: true, force: true });
});

const result = () =>
  page
    .getByRole('region', { name: /result/i })
    .or(page.locator('.graphiql-response'))
    .first();

async function run(query: string): Promise<void> {
  const url = new URL('/graphql', service.url);
  url.searchParams.set('query', query);
  await page.goto(url.href);
  await page.getByRole('button', { name: /execute query/i }).click({ timeout: 30_000 });
}

test('a query runs in GraphiQL', async () => {
  await run('{ viewer { name role } }');
  await expect(result()).toContainText('"role": "ADMIN"', { timeout: 20_000 });
});

test('its editor knows the schema', async () => {
  await page.goto(`${service.url}/graphql?query=${encodeURIComponent('{ noSuchField }')}`);
  await expect(page.locator('.squiggly-error').first()).toBeVisible({ timeout: 30_000 });
});

test('a subscription arrives', async () => {
  await run('subscription { dagEvents { change } }');
  const spec = { dagId: 'arrives', tasks: [{ taskId: 'a', kind: 'bash', command: 'true' }] };
  await expect.poll(() => requests.some((url) => url.startsWith('ws:') && url.endsWith('/graphql'))).toBe(true);
  writeFileSync(join(dags, 'arrives.json'), JSON.stringify(spec));
  await expect(result()).toContainText('"change": "deployed"', { timeout: 20_000 });
});

test('it asks no other host for anything, and nothing is refused by the policy', () => {
  const hosts = new Set(requests.filter((url) => /^(https?|wss?):/.test(url)).map((url) => new URL(url).host));
  expect([...hosts]).toEqual([new URL(service.url).host]);
  expect(requests.some((url) => url.endsWith('.worker.js'))).toBe(true);
  expect(problems).toEqual([]);
});
