import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { startService, type TestService } from './service.ts';

const DAG = 'browser_test';
let service: TestService;
let page: Page;
const problems: string[] = [];

test.describe.configure({ mode: 'serial' });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(120_000);
  service = await startService(join(import.meta.dirname, 'dags'));
  page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.goto(service.link);
});
test.afterAll(async () => {
  await page?.close();
  await service?.stop();
});

const option = (task: string) => page.getByRole('option', { name: task });
const state = (task: string, name: string) => expect(option(task)).toContainText(name, { timeout: 20_000 });
const runState = (name: string) => expect(page.getByTestId('run-state')).toHaveText(name, { timeout: 30_000 });

/** What the service itself says, in the order of the DAG. */
async function statesOf(runId: string): Promise<[string, string][]> {
  const query = `{ dagRun(runId: "${runId}") { taskInstances(first: 50) { edges { node { taskId state } } } } }`;
  const answer = await page.request.post(`${service.url}/graphql`, {
    data: { query },
    headers: { origin: service.url },
  });
  const { data } = (await answer.json()) as {
    data: { dagRun: { taskInstances: { edges: { node: { taskId: string; state: string } }[] } } };
  };
  return data.dagRun.taskInstances.edges.map(({ node }) => [node.taskId, node.state]);
}

/** Triggers through the dialog and waits for the page of the new run. */
async function trigger(conf: Record<string, unknown> = {}): Promise<string> {
  await page.goto(`${service.url}/dags/${DAG}`);
  await page.getByRole('button', { name: `Trigger ${DAG}` }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel('Configuration (JSON)')).toHaveValue(/"lines": 20/);
  await dialog.getByLabel('Configuration (JSON)').fill(JSON.stringify(conf));
  await dialog.getByRole('button', { name: 'Trigger run' }).click();
  await page.waitForURL(/\/runs\/\d+/);
  return new URL(page.url()).pathname.split('/').at(-1) ?? '';
}

test('the one-time link signs in and shows the DAGs', async () => {
  await expect(page.getByRole('heading', { name: 'DAGs' })).toBeVisible();
  await expect(page.getByRole('row', { name: new RegExp(DAG) })).toContainText('No runs yet');
  await expect(page.getByTestId('connection')).toHaveText('Live');
});

test('a configuration that does not fit is refused with the place of the mistake', async () => {
  await page.goto(`${service.url}/dags`);
  await page.getByRole('button', { name: `Trigger ${DAG}` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Configuration (JSON)').fill('{"lines": 0}');
  await dialog.getByRole('button', { name: 'Trigger run' }).click();
  await expect(dialog.getByRole('alert')).toContainText('lines');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
});

test('trigger: every cell turns green without a reload', async () => {
  await trigger();
  await page.evaluate(() => Object.assign(globalThis, { sameDocument: true }));
  for (const task of ['prepare', 'talk', 'judge', 'finish']) await state(task, 'success');
  await runState('success');
  expect(await page.evaluate(() => 'sameDocument' in globalThis)).toBe(true);
});

test('the lists saw that run as well', async () => {
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: DAG }).click();
  await expect(page.locator('tr[data-run-state=SUCCESS]')).toHaveCount(1);
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'DAGs' }).click();
  await expect(page.locator(`tr[data-dag=${DAG}]`)).toContainText('success');
  await service.cli('trigger', DAG, '--wait');
  await expect(page.locator(`tr[data-dag=${DAG}] a[data-state=SUCCESS]`)).toHaveCount(2);
});

test('the log follows the output, stops when somebody reads, and ends with a marker', async () => {
  await trigger({ lines: 400, pause: 0.01 });
  await option('talk').click();
  const log = page.getByRole('log');
  const lastNumber = async () =>
    Number(/line (\d+) of/.exec((await log.innerText()).trim().split('\n').at(-1) ?? '')?.[1]);
  await expect(log).toContainText('line 60 of 400 <b>not markup</b>', { timeout: 20_000 });
  const seen = await lastNumber();
  await expect.poll(lastNumber, { message: 'the newest line stays in view' }).toBeGreaterThan(seen + 20);

  await log.hover();
  await page.mouse.wheel(0, -2000);
  await expect(page.getByRole('button', { name: /new lines/ })).toBeVisible();
  await expect(log).toContainText('line 1 of 400');
  await page.getByRole('button', { name: /new lines?$/ }).click();
  await expect(log).toContainText('a word on stderr', { timeout: 20_000 });
  await expect(page.getByTestId('log-end')).toContainText('End of log');
});

test('a failure: the run opens on it with its cause; retry is requested, then seen', async () => {
  const run = await trigger({ fail: true, lines: 2 });
  await runState('failed');
  await page.goto(`${service.url}/dags/${DAG}/runs/${run}`);
  await expect(page).toHaveURL(/task=judge/);
  await expect(page.getByTestId('cause')).toContainText(/Non-zero exit code.*3/s);
  await expect(page.getByRole('log')).toContainText('judged and found wanting');
  await expect(page.getByTestId('log-end')).toHaveText(/End of log, \d+ lines · failed: Non-zero exit code/);
  await state('finish', 'upstream failed');

  await page.getByRole('button', { name: 'Retry failed (1)' }).click();
  await expect(page.getByRole('button', { name: 'Try 2' })).toBeVisible({ timeout: 20_000 });
  await runState('failed');
});

test('a run can be cancelled, and says so when it is', async () => {
  await trigger({ lines: 3000, pause: 0.05 });
  await state('talk', 'running');
  await page.getByRole('button', { name: 'Cancel run' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel run' }).click();
  await runState('cancelled');
  await state('talk', 'cancelled');
  await expect(page.getByRole('button', { name: 'Cancel run' })).toBeHidden();
});

test('paused and active again, as the service says', async () => {
  await page.goto(`${service.url}/dags/${DAG}`);
  const pause = page.getByRole('switch');
  await expect(pause).toHaveText('Active');
  await pause.click();
  await expect(pause).toHaveText('Paused');
  await pause.click();
  await expect(pause).toHaveText('Active');
});

test('an address with mistakes is told kindly, and takes nothing else down', async () => {
  await page.goto(`${service.url}/dags/%zz`);
  await expect(page.getByText('Nothing is here')).toBeVisible();
  await page.goto(`${service.url}/dags/${DAG}?after=nonsense`);
  await expect(page.getByRole('heading', { name: DAG })).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: 'is not a cursor of this list' })).toBeVisible();
});

test('what does not exist is told kindly', async () => {
  await page.goto(`${service.url}/dags/no_such_dag`);
  await expect(page.getByText('There is no DAG “no_such_dag”')).toBeVisible();
  await page.goto(`${service.url}/nowhere`);
  await expect(page.getByText('Nothing is here')).toBeVisible();
  await page.goto(`${service.url}/dags?q=nothing-like-it`);
  await expect(page.getByText('No DAG matches “nothing-like-it”')).toBeVisible();
});

test('the first load of the list stays under 110 KB of JavaScript', async () => {
  await page.goto(`${service.url}/dags`);
  await expect(page.locator(`tr[data-dag=${DAG}]`)).toBeVisible();
  const sizes = await page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .filter((entry) => entry.name.endsWith('.js'))
      .map((entry): [string, number] => [entry.name, (entry as PerformanceResourceTiming).encodedBodySize]),
  );
  expect(sizes.length).toBeGreaterThan(0);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  expect(total, JSON.stringify(sizes)).toBeLessThan(110 * 1024);
  // An answer that was not compressed, or a list that came from nowhere, would pass as well.
  expect(total).toBeGreaterThan(20 * 1024);
});

test('no page had an error', () => expect(problems).toEqual([]));

test('a killed service: the banner tells how old the page is, and everything missed arrives', async () => {
  test.setTimeout(120_000);
  const run = await trigger({ lines: 200, pause: 0.02 });
  await state('talk', 'running');
  await service.kill();
  const killed = Date.now();
  const banner = page.getByTestId('connection-banner');
  await expect(banner).toContainText(/Reconnecting….*as of \d\d:\d\d:\d\d/, { timeout: 2_500 });
  expect(Date.now() - killed).toBeLessThan(2_500);
  await service.restart();
  await expect(banner).toBeHidden({ timeout: 10_000 });
  await expect(page.getByTestId('connection')).toHaveText('Live');
  // Its worker died with it: the second try does the work.
  await expect(option('talk')).toContainText('try 2/2', { timeout: 30_000 });
  await expect(option('finish')).toContainText('success', { timeout: 30_000 });
  await runState('success');
  const shown = page.locator('[data-task-state]');
  const states = await shown.evaluateAll((rows) => rows.map((row) => [row.dataset['task'], row.dataset['taskState']]));
  expect(states, 'the page ends as the service does').toEqual(await statesOf(run));
});
