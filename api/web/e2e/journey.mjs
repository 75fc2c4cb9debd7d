// A person's way through the site in a real browser: search, facet, concert, seats by pointer and by key, sign in, countdown,
// a declined card, another attempt, tickets. Every page must be silent: no console error, no refused content.
//
// SCENE has a word to search for, the facet to tick and the title to open. Exits 1 with what failed.
import assert from 'node:assert/strict';
import { contextOf, launch, scene, shots, site } from './person.mjs';

const { words, genre, title } = { words: 'Mahler', genre: 'Symphony', title: 'Mahler', ...scene };
let heard = [];

const browser = await launch();

/** A page that remembers everything it complained about. */
async function visitor(options = {}) {
  const context = await contextOf(browser, { viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  heard = complaints;
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { context, page, complaints };
}

let step = 'start';
async function at(name, page) {
  step = name;
  if (shots && page) await page.screenshot({ path: `${shots}/${name.replaceAll(' ', '-')}.png`, fullPage: true });
}

async function search(page) {
  await page.goto(site);
  await at('home', page);
  await page.locator('#q').fill(words);
  await page.locator('#q').press('Enter');
  await page.waitForURL(/[?&]q=/);
  await page.locator(`#filters input[name=genre][value="${genre}"]`).check();
  await page.waitForURL(/[?&]genre=/);
  await page.locator('#results[aria-busy]').waitFor({ state: 'detached' });
  await page.locator('#filters input[name=on_sale][value=now]').check();
  await page.waitForURL(/[?&]on_sale=now/);
  await page.locator('#results[aria-busy]').waitFor({ state: 'detached' });
  assert.match((await page.locator('#found').textContent()) ?? '', /^[\d,]+ concerts? for/);
  await at('results', page);
  const address = page.url();
  await page.locator('.chips a', { hasText: genre }).click();
  await page.waitForURL((url) => !url.searchParams.has('genre'));
  await page.goBack();
  await page.waitForURL(address);
  await page.locator(`#filters input[name=genre][value="${genre}"]:checked`).waitFor();
}

async function openConcert(page) {
  await page
    .locator('.concert', { has: page.getByRole('link', { name: title }) })
    .first()
    .locator('h3 a')
    .click();
  await page.waitForURL(/\/events\//);
  const linked = JSON.parse(await page.locator('script[type="application/ld+json"]').textContent());
  assert.equal(linked['@type'], 'MusicEvent');
  assert.match(linked.startDate, /[+-]\d\d:\d\d$/);
  await page.locator('.map canvas').waitFor();
  await at('concert', page);
}

/** Walks over the map by its keys, choosing what is free, until so many seats are chosen. */
async function chooseByKeys(page, seats) {
  const chosen = page.locator('.basket li');
  await page.locator('.map canvas').focus();
  await page.keyboard.press('ArrowDown');
  for (let tried = 0; (await chosen.count()) < seats; tried++) {
    assert.ok(tried < 20, 'a free seat is found by keys');
    await page.keyboard.press(tried % 3 === 2 ? 'ArrowDown' : 'ArrowRight');
    const tip = await page.locator('.map .tip').textContent();
    if (!tip?.includes(', free')) continue;
    await page.keyboard.press('Enter');
    await chosen.nth(seats - 1).waitFor();
  }
}

/** One seat by the list, the others by the map's keys; a seat chosen by mistake leaves again. */
async function chooseSeats(page) {
  await page.locator('.listing summary').click();
  await page.locator('.listing .seats button:enabled').first().click();
  await page.locator('.basket li').first().waitFor();
  await chooseByKeys(page, 2);
  await chooseByKeys(page, 3);
  const third = page.locator('.basket li').nth(2);
  await third.getByRole('button', { name: /^Remove/ }).click();
  await third.waitFor({ state: 'detached' });
  await at('chosen', page);
}

async function register(page) {
  await page.getByRole('button', { name: 'Sign in to hold these seats' }).click();
  await page.waitForURL(/\/signin/);
  await page.getByRole('link', { name: 'Create an account' }).click();
  await page.waitForURL(/\/register/);
  await page.getByLabel('Your name').fill('Alma Journey');
  await page.getByLabel('Email').fill(`alma-${crypto.randomUUID()}@example.com`);
  await page.getByLabel('Password').fill('short');
  await page.getByRole('button', { name: 'Create the account' }).click();
  await page.locator('#password-wrong').waitFor();
  await page.getByLabel('Password').fill('a long enough phrase');
  await page.getByRole('button', { name: 'Create the account' }).click();
  await page.waitForURL((url) => url.pathname.startsWith('/events/'));
}

async function holdAndPay(page) {
  await page.locator('.basket li').nth(1).waitFor();
  await page.getByRole('button', { name: 'Hold these 2 seats' }).click();
  const clock = page.getByRole('timer');
  await clock.waitFor();
  const before = await clock.textContent();
  assert.match(before, /^\d+:\d\d$/);
  await page.waitForFunction((was) => document.querySelector('[role=timer]')?.textContent !== was, before);
  await page.getByRole('button', { name: 'I need more time' }).click();
  await page.getByText('Extended once').waitFor();
  await at('held', page);
  await page.reload();
  await clock.waitFor();
  await page.getByRole('button', { name: 'Go to payment' }).click();
  await page.waitForURL(/\/sandbox\//);
  await at('portal', page);
}

async function payTwice(page) {
  await page.getByRole('button', { name: /^Decline/ }).click();
  await page.waitForURL(/\/orders\//);
  await page.getByRole('heading', { name: 'The payment did not go through' }).waitFor();
  await page.getByRole('timer').waitFor();
  await at('declined', page);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForURL(/\/sandbox\//);
  await page.getByRole('button', { name: /^Succeed/ }).click();
  await page.waitForURL(/\/orders\//);
  await page.getByRole('heading', { name: 'You have your seats' }).waitFor();
  assert.equal(await page.locator('.ticket').count(), 2);
  const codes = await page.locator('.ticket .code img').evaluateAll((all) => all.every((img) => img.naturalWidth > 0));
  assert.ok(codes, 'every ticket shows its code');
  await at('order', page);
  await page.getByRole('link', { name: 'My tickets' }).first().click();
  await page.waitForURL(/\/tickets/);
  assert.equal(await page.locator('.ticket').count(), 2);
  await at('tickets', page);
}

async function signOut(page) {
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('.masthead .me', { hasText: 'Sign in' }).waitFor();
}

/** Everything but the seat plan reads without script, on a phone, in the dark. */
async function withoutScript(concert) {
  const { context, page, complaints } = await visitor({
    javaScriptEnabled: false,
    colorScheme: 'dark',
    viewport: { width: 360, height: 740 },
  });
  await page.goto(`${site}/?q=${encodeURIComponent(words)}`);
  assert.ok((await page.locator('.concert').count()) > 0, 'results read without script');
  await page.locator('.filters summary').waitFor();
  await page.locator('.concert h3 a').first().click();
  await page.goto(concert);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.getByRole('heading', { name: 'Tickets' }).waitFor();
  await page.getByText('The seat plan is drawn by a script').waitFor();
  assert.equal(await page.locator('.skip').count(), 1);
  const missing = await page.goto(`${site}/nowhere`);
  assert.equal(missing?.status(), 404);
  await page.getByRole('heading', { name: 'This seat is empty' }).waitFor();
  await context.close();
  const expected = complaints.filter((complaint) => !complaint.includes('/nowhere'));
  assert.deepEqual(expected, []);
}

/** No page is wider than a small phone. */
async function onAPhone(concert) {
  const { context, page, complaints } = await visitor({ viewport: { width: 360, height: 740 }, hasTouch: true });
  for (const address of ['/', `/?q=${encodeURIComponent(words)}`, '/signin', '/register', new URL(concert).pathname]) {
    await page.goto(site + address);
    if (address.startsWith('/events')) await page.locator('.map canvas').waitFor();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${address} is ${over} px too wide for a phone`);
  }
  await context.close();
  assert.deepEqual(complaints, []);
}

try {
  const { page, complaints } = await visitor();
  await search(page);
  await openConcert(page);
  const concert = page.url();
  await chooseSeats(page);
  await register(page);
  await holdAndPay(page);
  await payTwice(page);
  await signOut(page);
  assert.deepEqual(complaints, []);
  await at('without script');
  await withoutScript(concert);
  await at('on a phone');
  await onAPhone(concert);
  process.stdout.write('the journey succeeded\n');
} catch (error) {
  if (shots)
    for (const page of browser.contexts().flatMap((one) => one.pages()))
      await page.screenshot({ path: `${shots}/failed.png` });
  process.stderr.write(`the pages said: ${heard.join('\n')}\n`);
  process.stderr.write(`after "${step}": ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
