/** What is around every page: the rail, the palette, keys, language and time zone. */
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { startService, type TestService } from './service.ts';

const DAG = 'browser_test';
let service: TestService;
let page: Page;
const errors: string[] = [];

test.describe.configure({ mode: 'serial' });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(120_000);
  service = await startService(join(import.meta.dirname, 'dags'));
  page = await browser.newPage({ locale: 'en-GB', timezoneId: 'America/New_York' });
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(service.link);
  await expect(page.locator('tr[data-dag]').first()).toBeVisible();
});
test.afterAll(async () => {
  await page?.close();
  await service?.stop();
});

const account = () => page.locator('header button[aria-haspopup=menu]');

test('the palette goes to a DAG by a few of its letters, without the mouse', async () => {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('browser');
  await expect(page.getByRole('option', { name: DAG })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/dags/${DAG}$`));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(DAG);
});

test('two keys in a row go to a page, and the sheet tells which', async () => {
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog');
  await expect(sheet).toContainText('DAGs');
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await expect(page).toHaveURL(/\/clusters$/);
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Clusters' })).toHaveAttribute(
    'aria-current',
    'page',
  );
});

test('keys do nothing where somebody writes, nor when they are switched off', async () => {
  await page.goto(`${service.url}/dags`);
  const search = page.getByRole('searchbox');
  await expect(page.locator('tr[data-dag]').first()).toBeVisible();
  await page.keyboard.press('/');
  await expect(search).toBeFocused();
  await page.keyboard.type('gc?');
  await expect(search).toHaveValue('gc?');
  await search.fill('');
  await search.blur();
  await page.keyboard.press('?');
  await page.getByRole('checkbox').uncheck();
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await expect(search).not.toBeFocused();
  // With a modifier it works all the same, and the sheet is found there.
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('Show the keys');
  await page.keyboard.press('Enter');
  await page.getByRole('checkbox').check();
  await page.keyboard.press('Escape');
});

test('every word changes with the language, which stays over a reload', async () => {
  await account().click();
  await page.getByRole('menuitemradio', { name: '中文' }).click();
  await page.keyboard.press('Escape');
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh');
  await expect(page.getByRole('searchbox')).toHaveAttribute('placeholder', '搜索 DAG');
  await page.reload();
  await expect(page.getByRole('searchbox')).toHaveAttribute('placeholder', '搜索 DAG');
  await account().click();
  await page.getByRole('menuitemradio', { name: 'English' }).click();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('searchbox')).toHaveAttribute('placeholder', 'Search DAGs');
});

test('times are of the zone chosen', async () => {
  await service.cli('trigger', DAG);
  await page.goto(`${service.url}/dags/${DAG}`);
  const time = page.locator('tr[data-run] time').first();
  const at = new Date((await time.getAttribute('datetime')) ?? '');
  const hour = (zone: string) => at.toLocaleTimeString('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' });
  await expect(time).toContainText(hour('America/New_York'));
  await account().click();
  await page.getByRole('menuitemradio', { name: 'UTC', exact: true }).click();
  await expect(time).toContainText(hour('UTC'));
  await page.getByRole('menuitemradio', { name: 'Local time' }).click();
  await expect(time).toContainText(hour('America/New_York'));
  await page.keyboard.press('Escape');
});

test('the rail becomes narrow and stays so; on a phone it lies over the page', async () => {
  await page.getByRole('button', { name: 'Narrow the menu' }).click();
  await page.reload();
  await expect(page.getByRole('button', { name: 'Widen the menu' })).toBeVisible();
  expect((await page.locator('#rail').boundingBox())?.width).toBeLessThan(60);
  await page.getByRole('button', { name: 'Widen the menu' }).click();
  await page.setViewportSize({ width: 390, height: 780 });
  const rail = page.locator('#rail');
  await expect(rail).toBeHidden();
  await page.getByRole('button', { name: 'Menu' }).click();
  await rail.getByRole('link', { name: 'DAGs' }).click();
  await expect(page).toHaveURL(/\/dags$/);
  await expect(rail).toBeHidden();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('no page had an error', () => expect(errors).toEqual([]));
