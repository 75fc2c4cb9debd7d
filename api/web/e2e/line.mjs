// A fan's way through a sold-out concert in a real browser: joins the line, is next, is offered seats that came back, goes to pay.
//
// SCENE has the concert, the fan's session, and an order with the organizer's session that gives it back.
import assert from 'node:assert/strict';
import { scene, site, walk } from './person.mjs';

const { event, fan, organizer, order } = scene;

await walk('line', { token: fan, viewport: { width: 1100, height: 900 } }, async ({ context, page, shot }) => {
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
  await shot('alerts', other);
  await page.locator('#pay').click();
  await page.waitForURL(/\/sandbox\//);
});
