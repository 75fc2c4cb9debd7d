// A clerk's evening at the door in a real browser: a good code, the same again, no code at all; then without a network, the page
// opened anew; then the network is back, and another door was quicker with one of the tickets.
//
// FRONTROW_URL names the site; SCENE the page, the clerk's session and four codes of good tickets. Exits 1 with what failed.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const site = process.env.FRONTROW_URL ?? 'http://127.0.0.1:8080';
const { door, token, codes } = JSON.parse(process.env.SCENE ?? '{}');
const shots = process.env.SHOTS;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
const context = await browser.newContext({ viewport: { width: 420, height: 860 } });
context.setDefaultTimeout(30_000);
await context.addCookies([
  { name: 'session', value: token, url: site },
  { name: 'signed_in', value: '1', url: site },
]);
const page = await context.newPage();

async function shot(name) {
  if (shots) await page.screenshot({ path: `${shots}/door-${name}.png`, fullPage: true });
}

/** Shows a code as a scanner does: typed, then Enter. */
async function show(code, word) {
  await page.keyboard.type(code);
  await page.keyboard.press('Enter');
  await page.locator('.verdict .word', { hasText: word }).waitFor();
  await page.waitForFunction(() => document.querySelector('#code')?.value === '');
}

try {
  await page.goto(site + door);
  await page.locator('#admitted', { hasText: '0 of 4' }).waitFor();
  await shot('ready');
  await show(codes[0], 'Admitted');
  await page.locator('#admitted', { hasText: '1 of 4' }).waitFor();
  await shot('admitted');
  await show(codes[0], 'Already used');
  await shot('used');
  await show('no code', 'Not valid');
  await shot('refused');

  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(async (path) => (await caches.match(path)) !== undefined, door);
  await context.setOffline(true);
  await page.reload();
  await page.locator('#admitted', { hasText: '1 of 4' }).waitFor();
  await show(codes[1], 'Admitted');
  assert.match((await page.locator('.verdict').textContent()) ?? '', /by the list/);
  await show(codes[2], 'Admitted');
  await show(codes[1], 'Already used');
  await show(codes[3], 'Admitted');
  await show(`${codes[3]}x`, 'Not valid');
  await page.locator('#network', { hasText: '3 to be told' }).waitFor();
  await page.locator('#admitted', { hasText: '4 of 4' }).waitFor();
  await shot('offline');

  // Another door, with a network.
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const elsewhere = await fetch(`${site}/checkin`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ code: codes[2] }),
  });
  assert.equal(elsewhere.status, 200);
  await context.setOffline(false);
  await page.getByText(/another door let somebody in/).waitFor();
  await page.locator('#network', { hasText: /^Here$/ }).waitFor();
  await shot('conflict');
  assert.equal(await page.locator('#conflicts + ul li').count(), 1);
} catch (error) {
  await shot('failed');
  process.exitCode = 1;
  process.stderr.write(`${error.stack}\n${await page.content()}\n`);
} finally {
  await browser.close();
}
