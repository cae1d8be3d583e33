// Opens every report of a folder in a real browser and checks it: `node check.mjs FOLDER [SCREENSHOTS]`.
// One JSON line per page on standard output, what is wrong on standard error, exit status 1 for anything
// wrong. `FOLDER/expected.json` says by page what must be found; without it, only what holds of every report
// is checked. FOLDER may be the address of one page.

import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { guardedPage, withBrowser } from './browser.mjs';
import * as look from './look.mjs';
import * as use from './use.mjs';

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 400, height: 800 };
/** Widths at which the layout changes, from both sides, and the narrowest phone. */
const BETWEEN = [320, 601, 720, 721, 1120, 1121];

/** Everything about one open page; `expected` as in expected.json. Returns what is wrong, with where. */
export async function checkPage(page, expected = {}, shoot = async () => {}) {
  const wrong = [];
  const at = async (where, check) => {
    try {
      wrong.push(...(await check()).map((what) => `${where}: ${what}`));
    } catch (error) {
      wrong.push(`${where}: the check itself failed: ${String(error).split('\n')[0].slice(0, 300)}`);
    }
  };
  await at('once', () => look.verdict(page, expected));
  await at('once', () => look.words(page));
  for (const [size, viewport] of Object.entries({ wide: WIDE, narrow: NARROW })) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      const where = `${size} ${colorScheme}`;
      if (colorScheme === 'light') {
        await at(where, () => look.width(page));
        await at(where, () => look.charts(page, expected));
        await at(where, () => look.rows(page));
        await at(where, () => look.roles(page));
        await at(where, () => look.intervals(page, expected));
        await at(where, () => look.sticky(page));
      }
      // Colours do not depend on the width; the narrow page is looked at once.
      if (size === 'wide' || colorScheme === 'light') await at(where, () => look.axe(page));
      await shoot(where.replace(' ', '-'));
    }
  }
  for (const width of expected.large ? [] : BETWEEN) {
    await page.setViewportSize({ width, height: 800 });
    await at(`${width} px`, () => look.width(page));
    await at(`${width} px`, () => look.rows(page));
  }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: 'light' });
  await at('schemes', () => schemes(page));
  for (const name of ['keyboard', 'folding', 'sorting', 'filtering', 'scrubbing', 'theme', 'printing']) {
    await at(name, () => use[name](page, expected));
  }
  await at('afterwards', () => look.words(page));
  return wrong;
}

/** The page follows the theme of the system. */
async function schemes(page) {
  const ground = async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    return page.evaluate(() => {
      const of = (element) => getComputedStyle(element).backgroundColor;
      return `${of(document.documentElement)} ${of(document.body)} ${getComputedStyle(document.body).color}`;
    });
  };
  const [dark, light] = [await ground('dark'), await ground('light')];
  return dark === light ? [`light and dark look the same: ${light}`] : [];
}

/** Without scripts, everything is there to be read. */
async function withoutScripts(browser, url, expected) {
  const { page, trouble, close } = await guardedPage(browser, (it) => it === url, { javaScriptEnabled: false });
  try {
    await page.goto(url, { waitUntil: 'load' });
    const wrong = [...await look.verdict(page, expected), ...await look.charts(page, expected)];
    if ((await page.locator('table:visible').count()) === 0) wrong.push('no table is visible');
    // The names of columns may stay buttons: they are words to be read.
    const dead = await page.locator('button:not(th button):visible, input:visible').count();
    if (dead > 0) wrong.push(`${dead} controls are visible that do nothing`);
    return [...wrong, ...trouble].map((what) => `without scripts: ${what}`);
  } finally {
    await close();
  }
}

async function checkAddress(browser, name, url, { expected, screenshots }) {
  const begun = performance.now();
  const { page, trouble, close } = await guardedPage(browser, (it) => it.split('#')[0] === url);
  try {
    await page.goto(url, { waitUntil: 'load' });
    const shoot = async (where) => {
      if (screenshots) await page.screenshot({ path: join(screenshots, `${name}-${where}.png`), fullPage: !expected.large });
    };
    const wrong = await checkPage(page, expected, shoot);
    wrong.push(...trouble.map((what) => `any time: ${what}`));
    wrong.push(...await withoutScripts(browser, url, expected));
    const seconds = Math.round((performance.now() - begun) / 100) / 10;
    return { page: name, ok: wrong.length === 0, seconds, wrong };
  } finally {
    await close();
  }
}

function pagesOf(place) {
  if (/^https?:/.test(place)) return [{ name: 'page', url: new URL(place).href, expected: {} }];
  const folder = resolve(place);
  const files = readdirSync(folder).filter((file) => file.endsWith('.html')).sort();
  const known = readdirSync(folder).includes('expected.json');
  const expected = known ? JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) : {};
  return files.map((file) => {
    const name = basename(file, '.html');
    return { name, url: pathToFileURL(join(folder, file)).href, expected: expected[name] ?? {} };
  });
}

async function main([place, screenshots = process.env.LOADGATE_SCREENSHOTS]) {
  const pages = place ? pagesOf(place) : [];
  if (pages.length === 0) throw new Error('usage: node check.mjs FOLDER [SCREENSHOTS]; the folder holds no .html');
  if (screenshots) mkdirSync(screenshots, { recursive: true });
  let failed = 0;
  await withBrowser(async (browser) => {
    for (const { name, url, expected } of pages) {
      const report = await checkAddress(browser, name, url, { expected, screenshots });
      console.log(JSON.stringify(report));
      for (const what of report.wrong) console.error(`${name}: ${what}`);
      failed += report.ok ? 0 : 1;
    }
  });
  console.error(`${pages.length - failed} of ${pages.length} pages are as they should be`);
  return failed === 0 ? 0 : 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await main(process.argv.slice(2));
}
