// A fan's way through a sold-out concert in a real browser: joins the line, is next, is offered seats that came back, goes to pay.
//
// FRONTROW_URL names the site; SCENE the concert, the fan's session, and an order with the organizer's session that gives it back.
// Exits 1 with what failed.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const site = process.env.FRONTROW_URL ?? 'http://127.0.0.1:8080';
const { event, fan, organizer, order } = JSON.parse(process.env.SCENE ?? '{}');
const shots = process.env.SHOTS;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
context.setDefaultTimeout(30_000);
await context.addCookies([
  { name: 'session', value: fan, url: site },
  { name: 'signed_in', value: '1', url: site },
]);
const page = await context.newPage();

async function shot(name) {
  if (shots) await page.screenshot({ path: `${shots}/line-${name}.png`, fullPage: true });
}

try {
  await page.goto(`${site}/events/${event}`);
  await page.getByRole('heading', { name: 'Sold out: join the line' }).waitFor();
  await shot('sold-out');
  await page.locator('#wait-quantity').selectOption('2');
  await page.locator('#waiting').getByRole('button', { name: 'Join the line' }).click();
  await page.getByText('You are next.').waitFor();
  await shot('next');

  const headers = { authorization: `Bearer ${organizer}`, 'content-type': 'application/json' };
  const back = await fetch(`${site}/order/${order}/refund`, { method: 'POST', headers, body: '{}' });
  assert.equal(back.status, 202);
  await page.getByText('Your seats are kept for').waitFor();
  assert.equal(await page.locator('.basket li').count(), 2);
  await shot('offered');
  const other = await context.newPage();
  await other.goto(`${site}/notifications`);
  await other.getByRole('heading', { name: 'Kept for you' }).waitFor();
  if (shots) await other.screenshot({ path: `${shots}/line-alerts.png`, fullPage: true });
  await page.locator('#pay').click();
  await page.waitForURL(/\/sandbox\//);
} catch (error) {
  await shot('failed');
  process.exitCode = 1;
  process.stderr.write(`${error.stack}\n${await page.content()}\n`);
} finally {
  await browser.close();
}
