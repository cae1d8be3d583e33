// Starts the browser and hands out pages that cannot leave the file they show. Checks nothing itself.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const INLINE = /^(data|blob|about):/;

/** One browser with a profile of its own, for `use`; both are gone afterwards. */
export async function withBrowser(use) {
  const home = mkdtempSync(join(tmpdir(), 'loadgate-browser-'));
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: FLAGS, env: { ...process.env, HOME: home } });
  try {
    return await use(browser);
  } finally {
    await browser.close();
    rmSync(home, { recursive: true, force: true });
  }
}

/**
 * A page that records what must not happen: `trouble` grows by a sentence for each console error or warning,
 * page error, dialog, refused request and violation of the page's own policy. `allowed(url)` says which
 * addresses belong to the page; with `confirm`, its questions are answered with yes.
 */
export async function guardedPage(browser, allowed, { confirm = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const trouble = [];
  await context.route('**/*', (route) => {
    const url = route.request().url();
    if (allowed(url) || INLINE.test(url)) return route.continue();
    trouble.push(`asks for ${url.slice(0, 200)}`);
    return route.abort();
  });
  await context.exposeBinding('tellViolation', (_, what) => trouble.push(`violates its policy: ${what}`));
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      window.tellViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning', 'assert'].includes(message.type())) trouble.push(`console: ${message.text().slice(0, 300)}`);
  });
  page.on('pageerror', (error) => trouble.push(`page error: ${String(error).slice(0, 300)}`));
  page.on('popup', () => trouble.push('opens another page'));
  page.on('framenavigated', (frame) => {
    if (!allowed(frame.url()) && !INLINE.test(frame.url())) trouble.push(`goes to ${frame.url().slice(0, 200)}`);
  });
  page.on('dialog', (dialog) => {
    if (confirm && dialog.type() === 'confirm') return dialog.accept();
    trouble.push(`dialog: ${dialog.message().slice(0, 200)}`);
    return dialog.dismiss();
  });
  return { page, trouble, close: () => context.close() };
}
