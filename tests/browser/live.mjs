// Follows a live page in a real browser to its end: `node live.mjs URL`. While the run goes on, what a reader
// has typed, sorted and opened must survive every update; at the end the page must be the final report.
// One JSON line on standard output, exit status 1 for anything wrong. `--stop` presses the stop button.
// With `--killed`, whoever started this kills the run when it reads `connected`, and starts another at the same
// address when it reads `gone`.

import { guardedPage, withBrowser } from './browser.mjs';
import * as look from './look.mjs';
import { orderOf } from './use.mjs';

const UPDATES = 3;
const UPDATE_MS = 30_000;
const END_MS = 300_000;

/** Counts how often the page changed: once per burst of mutations that this script did not cause itself. */
async function watch(page) {
  await page.evaluate(() => {
    window.updates = 0;
    let pending = false;
    new MutationObserver(() => {
      if (pending) return;
      pending = true;
      setTimeout(() => { pending = false; window.updates += 1; }, 100);
    }).observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true, attributes: true });
  });
}

async function updates(page, count) {
  const from = await page.evaluate(() => window.updates);
  await page.waitForFunction((until) => window.updates >= until, from + count, { timeout: UPDATE_MS });
}

/** What a reader has set up. */
async function arrange(page) {
  const filter = page.locator('input[data-filter]').first();
  const sort = page.locator('table[data-sortable] thead th button').last();
  const details = page.locator('details:visible > summary').first();
  const has = { filter: await filter.isVisible(), sort: await sort.isVisible(), details: await details.count() > 0 };
  if (has.sort) await sort.press('Enter');
  if (has.details) await details.evaluate((it) => { it.parentElement.open = true; });
  if (has.filter) await filter.pressSequentially('other');
  return has;
}

function state(page) {
  return page.evaluate(() => {
    const sorted = document.querySelector('th[aria-sort=ascending], th[aria-sort=descending]');
    const focused = document.activeElement;
    return {
      focus: focused.matches('input[data-filter]'),
      text: document.querySelector('input[data-filter]')?.value,
      caret: focused.selectionStart,
      sort: sorted ? `${sorted.innerText.trim()} ${sorted.getAttribute('aria-sort')}` : 'none',
      open: document.querySelectorAll('details[open]').length,
      hidden: [...document.querySelectorAll('#endpoints tbody:first-of-type tr')].filter((it) => !it.checkVisibility()).length,
      scroll: Math.round(scrollY),
      place: Math.round((sorted ?? focused).getBoundingClientRect().top),
    };
  });
}

async function survives(page) {
  const has = await arrange(page);
  const wrong = [];
  if (!has.filter && !has.sort) wrong.push('neither a filter nor a table to sort');
  const before = await state(page);
  if (has.filter && !before.focus) wrong.push('the filter cannot be focused');
  await updates(page, UPDATES);
  const after = await state(page);
  if (after.hidden !== 1) wrong.push(`the filter hides ${after.hidden} endpoints and not the one without its text`);
  const last = (await page.locator('#endpoints thead th button').count()) - 1;
  const { told } = await page.locator('#endpoints').evaluate(orderOf, last);
  if (told) wrong.push(`after updates the last column ${told}`);
  // What is above may become shorter: then the browser scrolls, so that the reader still sees the same.
  const moved = before.scroll !== after.scroll && before.place !== after.place;
  for (const key of Object.keys(before)) {
    if ((key === 'scroll' || key === 'place') && !moved) continue;
    if (before[key] !== after[key]) wrong.push(`an update changed ${key} from "${before[key]}" to "${after[key]}"`);
  }
  if (has.filter) await page.locator('input[data-filter]').first().fill('');
  return wrong;
}

async function stops(page) {
  const stop = page.locator('[data-stop]');
  if (!(await stop.isVisible())) return ['no button to stop the run'];
  await stop.press('Enter');
  // The second press means it.
  await page.waitForFunction(() => document.querySelector('[data-stop]').textContent.includes('Really'));
  await stop.press('Enter');
  return [];
}

/** The page of the ended run is the report: a verdict, no connection to wait for, nothing to stop. */
async function ends(page) {
  await page.waitForSelector('[data-verdict]:not([data-verdict=""]):not([data-verdict=running])', { timeout: END_MS });
  const wrong = [...await look.verdict(page), ...await look.words(page), ...await look.charts(page, { charts: 1 })];
  if (await page.locator('[data-stop]:visible').count()) wrong.push('the stop button is still there');
  return wrong.map((what) => `at the end: ${what}`);
}

const shows = (page, id, text) => page.waitForFunction(
  ([id, text]) => document.getElementById(id).checkVisibility() && document.getElementById(id).innerText.includes(text),
  [id, text],
  { timeout: UPDATE_MS },
);

/** The numbers of a page whose run is gone, without what changes by itself. */
const numbers = (page) => page.evaluate(() => document.querySelector('main').innerHTML);

/** A run that is gone is told from one that another run has followed, and neither changes the numbers. */
async function replaced(page) {
  const wrong = [];
  console.log('connected');
  await shows(page, 'live-gone', 'does not answer');
  const [before, path] = [await numbers(page), new URL(page.url()).pathname];
  const verdict = await page.locator('[data-verdict]').innerText();
  if (!verdict.includes('GONE partial') || !verdict.includes('partial, and no verdict') || /running/i.test(verdict)) wrong.push(`the verdict of a lost run: ${verdict}`);
  if (!(await page.title()).startsWith('GONE')) wrong.push(`the title of a lost run: ${await page.title()}`);
  if (await page.locator('[data-stop]:visible').count()) wrong.push('a lost run can be stopped');
  wrong.push(...await look.words(page), ...await look.width(page), ...await look.axe(page));
  console.log('gone');
  await shows(page, 'live-other', 'Another run answers here');
  if (await numbers(page) !== before) wrong.push('another run changes the page');
  if (await page.locator('#live-gone:visible').count()) wrong.push('it says both');
  wrong.push(...await look.axe(page));
  await page.locator('#live-other a').click();
  await page.waitForFunction(() => document.querySelector('[data-verdict=running]'), undefined, { timeout: UPDATE_MS });
  await shows(page, 'live-state', 'running');
  if (new URL(page.url()).pathname === path) wrong.push('the link does not lead to the other run');
  return wrong;
}

async function follow(browser, url, { stop, killed }) {
  const home = new URL(url).origin;
  const { page, trouble, close } = await guardedPage(browser, (it) => it.startsWith(`${home}/`), { confirm: stop });
  const wrong = [];
  try {
    // The stream of events never ends, so the network is never idle.
    await page.goto(url, { waitUntil: 'domcontentloaded' });
    await watch(page);
    await updates(page, UPDATES);
    const connection = page.locator('[data-connection]');
    if (!(await connection.count())) wrong.push('nothing says whether the page is connected');
    // The browser itself tells of connections that are refused.
    if (killed) return [...await replaced(page), ...trouble.filter((it) => !it.includes('net::ERR_'))];
    wrong.push(...await survives(page), ...await look.charts(page, { charts: 2 }));
    wrong.push(...await look.words(page), ...await look.width(page), ...await look.axe(page));
    await page.emulateMedia({ colorScheme: 'dark' });
    wrong.push(...await look.axe(page));
    await page.emulateMedia({ colorScheme: 'light' });
    if (stop) wrong.push(...await stops(page));
    wrong.push(...await ends(page));
  } catch (error) {
    wrong.push(String(error).split('\n')[0].slice(0, 300));
  } finally {
    await close();
  }
  return [...wrong, ...trouble];
}

const [url, ...flags] = process.argv.slice(2);
if (!url) throw new Error('usage: node live.mjs URL [--stop | --killed]');
const wants = { stop: flags.includes('--stop'), killed: flags.includes('--killed') };
const wrong = await withBrowser((browser) => follow(browser, url, wants));
console.log(JSON.stringify({ page: url, ok: wrong.length === 0, wrong }));
for (const what of wrong) console.error(what);
process.exitCode = wrong.length === 0 ? 0 : 1;
