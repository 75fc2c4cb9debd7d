// A fan in a presale in a real browser: turned away without the code, let in with it; the bill with its fee, before paying and after;
// then another seat for the one that was bought.
//
// SCENE has the concert's page, the fan's session and the code.
import assert from 'node:assert/strict';
import { scene, site, walk } from './person.mjs';

const { concert, token, code } = scene;

const words = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
/** Each line of a bill: what it is for, and how much. */
const lines = (bill) =>
  bill
    .locator('li')
    .evaluateAll((all) =>
      all.map((line) => [...line.children].map((part) => part.textContent?.replace(/\s+/g, ' ').trim())),
    );

await walk('terms', { token, viewport: { width: 1280, height: 900 } }, async ({ page, shot }) => {
  await page.goto(site + concert);
  await page.getByText('Prices are for one ticket, with all fees and taxes.').waitFor();
  await page.getByText('This is a presale').waitFor();
  await page.locator('.listing summary').click();
  await page.locator('.listing .seats button:enabled').first().click();
  await page.locator('.basket li').first().waitFor();
  await page.getByText('About, with all fees').waitFor();
  const hold = page.getByRole('button', { name: 'Hold this seat' });
  await hold.click();
  await page.getByText('You cannot buy yet').waitFor();
  await shot('refused');
  await page.getByLabel('Presale code').fill(code.toLowerCase());
  await hold.click();
  await page.getByRole('timer').waitFor();
  assert.deepEqual(await lines(page.locator('.checkout .bill')), [['Service fee', '$4.50']]);
  assert.equal(words(await page.locator('.checkout .sum').first().textContent()), 'Total$54.50');
  await shot('held');
  await page.getByRole('button', { name: 'Go to payment' }).click();
  await page.waitForURL(/\/sandbox\//);
  await page.getByRole('button', { name: /^Succeed/ }).click();
  await page.waitForURL(/\/orders\//);
  await page.getByRole('heading', { name: 'What you paid' }).waitFor();
  assert.deepEqual(await lines(page.locator('.bill')), [
    ['Standard', '$50'],
    ['Service fee', '$4.50'],
    ['Total', '$54.50'],
  ]);

  const seat = page.locator('.ticket .seat');
  const before = words(await seat.textContent());
  await page.getByRole('button', { name: 'Change a seat' }).click();
  await page.getByLabel('Which seat').selectOption({ index: 5 });
  await shot('exchange');
  await page.getByRole('button', { name: 'Change it' }).click();
  await page.locator('.ticket .seat', { hasNotText: before }).waitFor();
  assert.equal(await seat.count(), 1);
  await shot('changed');
});
