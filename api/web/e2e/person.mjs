// A person in a real browser, signed in by a session that a test made.
//
// FRONTROW_URL names the site; SCENE what the test prepared, as JSON; CHROMIUM the browser; SHOTS where pictures are kept, if anywhere.
import { chromium } from 'playwright-core';

export const site = process.env.FRONTROW_URL ?? 'http://127.0.0.1:8080';
export const scene = JSON.parse(process.env.SCENE ?? '{}');
export const shots = process.env.SHOTS;

const WAIT_MS = 30_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A browser's new context, in which nothing is waited for without bound. */
export async function contextOf(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(WAIT_MS);
  return context;
}

/** Takes somebody's steps on a page; exits 1 with what failed. Pictures are named after the walk. */
export async function walk(name, { token, viewport }, steps) {
  const browser = await launch();
  const context = await contextOf(browser, { viewport });
  await context.addCookies([
    { name: 'session', value: token, url: site },
    { name: 'signed_in', value: '1', url: site },
  ]);
  const page = await context.newPage();
  const shot = async (what, of = page) => {
    if (shots) await of.screenshot({ path: `${shots}/${name}-${what}.png`, fullPage: true });
  };
  try {
    await steps({ context, page, shot });
    process.stdout.write(`${name}: every step was taken\n`);
  } catch (error) {
    await shot('failed');
    process.exitCode = 1;
    process.stderr.write(
      `${error instanceof Error ? (error.stack ?? error.message) : error}\n${await page.content()}\n`,
    );
  } finally {
    await browser.close();
  }
}
