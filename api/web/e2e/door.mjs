// A clerk's evening at the door in a real browser: a good code, the same again, no code at all; then without a network, the page
// opened anew; then the network is back, and another door was quicker with one of the tickets.
//
// SCENE has the page, the clerk's session and four codes of good tickets.
import assert from 'node:assert/strict';
import { scene, site, walk } from './person.mjs';

const { door, token, codes } = scene;

/** Shows a code as a scanner does: typed, then Enter. */
async function show(page, code, word) {
  await page.keyboard.type(code);
  await page.keyboard.press('Enter');
  await page.locator('.verdict .word', { hasText: word }).waitFor();
  await page.waitForFunction(() => document.querySelector('#code')?.value === '');
}

await walk('door', { token, viewport: { width: 420, height: 860 } }, async ({ context, page, shot }) => {
  await page.goto(site + door);
  await page.locator('#admitted', { hasText: '0 of 4' }).waitFor();
  await shot('ready');
  await show(page, codes[0], 'Admitted');
  await page.locator('#admitted', { hasText: '1 of 4' }).waitFor();
  await shot('admitted');
  await show(page, codes[0], 'Already used');
  await shot('used');
  await show(page, 'no code', 'Not valid');
  await shot('refused');

  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(async (path) => (await caches.match(path)) !== undefined, door);
  await context.setOffline(true);
  await page.reload();
  await page.locator('#admitted', { hasText: '1 of 4' }).waitFor();
  await show(page, codes[1], 'Admitted');
  assert.match((await page.locator('.verdict').textContent()) ?? '', /by the list/);
  await show(page, codes[2], 'Admitted');
  await show(page, codes[1], 'Already used');
  await show(page, codes[3], 'Admitted');
  await show(page, `${codes[3]}x`, 'Not valid');
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
});
