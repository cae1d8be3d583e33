// What a reader does with a report: sorts, filters, opens, tabs, scrubs, changes the theme, prints. Each
// function leaves the page usable for the next and returns the sentences that are wrong.

const BY_KEY = { ascending: 1, descending: -1 };

/** Every column of every sortable table sorts both ways by its values, by mouse and by keyboard. */
export async function sorting(page, expected = {}) {
  const wrong = [];
  const tables = page.locator('table[data-sortable]');
  const count = await tables.count();
  if (expected.endpoints && count === 0) wrong.push('no table can be sorted');
  for (let index = 0; index < count; index += 1) {
    const table = tables.nth(index);
    if (!(await table.isVisible())) continue;
    const buttons = table.locator('thead th button');
    const columns = await buttons.count();
    if (columns === 0) wrong.push(`sortable table ${index + 1} has no buttons in its head`);
    for (let column = 0; column < columns; column += 1) {
      const press = (way) => (way === 'click'
        ? buttons.nth(column).evaluate((button) => button.click())
        : buttons.nth(column).press('Enter'));
      const seen = new Set();
      for (const way of ['click', 'Enter']) {
        await press(way);
        const { order, told, head } = await table.evaluate(orderOf, column);
        if (told) wrong.push(`table ${index + 1}, column ${head}: ${told} after ${way}`);
        seen.add(order);
      }
      const both = Object.keys(BY_KEY).every((order) => seen.has(order));
      if (!both) wrong.push(`table ${index + 1}, column ${column + 1}: aria-sort went ${[...seen].join(', ')}, not both ways`);
    }
  }
  return wrong;
}

/** Runs in the page: how the rows stand, against what the head says. */
export function orderOf(table, column) {
  const th = [...table.querySelectorAll('thead th')].filter((it) => it.querySelector('button'))[column];
  const order = th.getAttribute('aria-sort');
  const head = th.innerText.trim();
  const sorted = table.querySelectorAll('thead th[aria-sort="ascending"], thead th[aria-sort="descending"]').length;
  if (order !== 'ascending' && order !== 'descending') return { order, head, told: `aria-sort is ${order}` };
  if (sorted !== 1) return { order, head, told: `${sorted} columns claim to be sorted` };
  const cells = [...table.tBodies[0].rows].map((row) => row.cells[th.cellIndex]);
  const missing = cells.filter((cell) => !cell);
  if (missing.length) return { order, head, told: 'a row without this column' };
  const numbers = cells.map((cell) => cell.dataset.value).filter((value) => value !== undefined && value !== '');
  const numeric = numbers.length > 0 && numbers.every((value) => Number.isFinite(Number(value)));
  // Rows without a value stand last, whichever way.
  const first = cells.findIndex((cell) => (cell.dataset.value ?? '') === '');
  if (numeric && first >= 0 && cells.slice(first).some((cell) => (cell.dataset.value ?? '') !== '')) {
    return { order, head, told: 'a row without a value stands before one with' };
  }
  const texts = cells.map((cell) => cell.dataset.value ?? cell.textContent.trim());
  while (texts.at(-1) === '') texts.pop();
  const keys = numeric ? numbers.map(Number) : texts;
  const sign = order === 'ascending' ? 1 : -1;
  const collator = new Intl.Collator('en', { numeric: true });
  const pairs = keys.slice(1).map((key, at) => [keys[at], key]);
  const by = {
    code: (a, b) => (a < b ? -1 : Number(a > b)),
    words: (a, b) => a.localeCompare(b),
    numbered: (a, b) => collator.compare(a, b),
    folded: (a, b) => by.code(a.toLowerCase(), b.toLowerCase()),
  };
  const holds = (compare) => pairs.every(([a, b]) => sign * compare(a, b) <= 0);
  const right = numeric ? holds((a, b) => a - b) : Object.values(by).some(holds);
  const bad = numeric ? pairs.find(([a, b]) => sign * (a - b) > 0) : pairs[0];
  return { order, head, told: right ? '' : `is not ${order}: ${String(bad).slice(0, 80)}` };
}

/** The filter hides what does not contain its text, says how many are left, and gives them back. */
export async function filtering(page, expected = {}) {
  const inputs = page.locator('input[data-filter]');
  const count = await inputs.count();
  if (count === 0) return expected.endpoints > 8 ? ['no table can be filtered'] : [];
  const wrong = [];
  for (let index = 0; index < count; index += 1) {
    const input = inputs.nth(index);
    const id = await input.getAttribute('data-filter');
    const rows = () => page.evaluate((table) => [...document.getElementById(table)?.tBodies[0].rows ?? []].map((row) => ({
      name: (row.querySelector('th') ?? row.cells[0]).textContent.trim(), shown: row.checkVisibility(),
    })), id);
    const said = () => page.evaluate(() => [...document.querySelectorAll('[aria-live], [role=status], output')].map((it) => it.textContent).join(' '));
    const all = await rows();
    if (all.length === 0 && expected.endpoints === 0) continue;
    if (all.length === 0) { wrong.push(`the filter is for table ${id}, which is not there or empty`); continue; }
    if (index === 0 && expected.endpoints && all.length < expected.endpoints) {
      wrong.push(`table ${id} has ${all.length} rows, expected ${expected.endpoints}`);
    }
    const word = [...all.findLast((row) => row.name).name].slice(0, 12).join('').trim().toLowerCase();
    for (const text of [word, word.toUpperCase(), 'no endpoint is called so']) {
      await input.fill(text);
      const now = await rows();
      const has = (row) => row.name.toLowerCase().includes(text.toLowerCase());
      const bad = now.find((row) => row.shown !== has(row));
      if (bad) wrong.push(`filter "${text}" ${bad.shown ? 'shows' : 'hides'} "${bad.name.slice(0, 60)}"`);
      const left = now.filter((row) => row.shown).length;
      const live = await said();
      const counts = (live.match(/\d[\d,.]*/g) ?? []).map((it) => Number(it.replace(/,/g, '')));
      const told = counts.includes(left) || (left === 0 && /\bno(ne|thing)?\b/i.test(live));
      if (!told) wrong.push(`filter "${text}" leaves ${left} rows, and the live region says "${live.trim().slice(0, 80)}"`);
    }
    await input.fill('');
    if ((await rows()).some((row) => !row.shown)) wrong.push(`an empty filter hides rows of ${id}`);
  }
  return wrong;
}

/** Tab reaches every control, and where the focus is can be seen. */
export async function keyboard(page) {
  await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
  const expected = await page.evaluate(() => {
    const controls = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]');
    const shown = [...controls].filter((it) => !it.disabled && it.tabIndex >= 0 && it.checkVisibility({ visibilityProperty: true }));
    shown.forEach((it, index) => { it.dataset.control = index; });
    return shown.length;
  });
  const reached = new Set();
  const wrong = [];
  // More than that says nothing new: in the largest report, every row could have a control.
  const tries = Math.min(expected, 60) + 2;
  for (let step = 0; step < tries; step += 1) {
    await page.keyboard.press('Tab');
    const { control, visible, name, text } = await page.evaluate(() => {
      const it = document.activeElement;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(it);
      const visible = (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
      return { control: it.dataset.control, visible, name: it.localName, text: (it.innerText ?? '').slice(0, 40) };
    });
    if (control === undefined) continue;
    if (!visible && !reached.has(control)) wrong.push(`focus on <${name}> "${text}" cannot be seen`);
    reached.add(control);
  }
  if (reached.size < Math.min(expected, 60)) wrong.push(`Tab reaches ${reached.size} of ${expected} controls`);
  await page.evaluate(() => document.querySelectorAll('[data-control]').forEach((it) => { delete it.dataset.control; }));
  return wrong;
}

/** Enter opens what is folded, and shows it; and closes it again. */
export async function folding(page) {
  const wrong = [];
  const summaries = page.locator('details > summary');
  const count = Math.min(await summaries.count(), 12);
  for (let index = 0; index < count; index += 1) {
    const summary = summaries.nth(index);
    if (!(await summary.isVisible())) continue;
    const open = () => summary.evaluate((it) => it.parentElement.open);
    const before = await open();
    const name = (await summary.innerText()).trim().slice(0, 40);
    if (!name) wrong.push(`details ${index + 1} have no name`);
    await summary.press('Enter');
    if ((await open()) === before) wrong.push(`Enter does not ${before ? 'close' : 'open'} the details "${name}"`);
    const empty = await summary.evaluate((it) => it.parentElement.open && it.parentElement.innerText.trim() === it.innerText.trim());
    if (empty) wrong.push(`the details "${name}" are empty`);
    if ((await open()) !== before) await summary.press('Enter');
  }
  return wrong;
}

/** The slider moves the crosshair, and the readout says another moment. */
export async function scrubbing(page, expected = {}) {
  const sliders = page.locator('input[type=range][data-scrub]');
  if ((await sliders.count()) === 0) return expected.points > 1 ? ['no slider under the charts over time'] : [];
  const slider = sliders.first();
  const look = () => page.evaluate(() => {
    const now = [...document.querySelectorAll('[data-now]')].map((it) => it.textContent.trim());
    const it = document.querySelector('input[type=range][data-scrub]');
    const home = it.closest('figure, section') ?? document.body;
    return { value: it.value, text: home.innerText, said: it.getAttribute('aria-valuetext') ?? '', now };
  });
  await slider.focus();
  await slider.press('Home');
  const start = await look();
  await slider.press('End');
  const end = await look();
  const wrong = [];
  if (start.value === end.value) return [`the slider stays at ${start.value}`];
  for (const { now, value } of [start, end]) {
    if (now.length < 3 || now.some((text) => !/\d|–/.test(text))) wrong.push(`at ${value} the charts say "${now.join('", "')}" beside their names`);
  }
  if (start.text === end.text) wrong.push('the slider changes no readout');
  if (!end.said || end.said === start.said) wrong.push(`the slider has no words for its place: aria-valuetext "${end.said}"`);
  return wrong;
}

/** The button overrides the theme of the system. */
export async function theme(page) {
  const button = page.locator('button[data-theme-toggle]');
  if ((await button.count()) === 0) return ['no button for the theme'];
  const ground = () => page.evaluate(() => {
    const of = (element) => getComputedStyle(element).backgroundColor;
    return `${of(document.documentElement)} ${of(document.body)}`;
  });
  const before = await ground();
  const seen = new Set([before]);
  for (let press = 0; press < 3; press += 1) {
    await button.first().press('Enter');
    seen.add(await ground());
  }
  return seen.size > 1 ? [] : [`the button for the theme changes nothing: ${before}`];
}

/** Printed, the charts are there, and the controls do not cut anything off. */
export async function printing(page, expected = {}) {
  await page.emulateMedia({ media: 'print' });
  const found = await page.evaluate(() => {
    const shown = (it) => it.checkVisibility({ visibilityProperty: true });
    const figures = [...document.querySelectorAll('figure[data-chart]')].filter(shown);
    const marked = figures.filter((it) => [...it.querySelectorAll('[data-mark]')].some(shown));
    const controls = [...document.querySelectorAll('button[data-theme-toggle], input[data-filter], input[data-scrub]')];
    return { figures: figures.length, marked: marked.length, controls: controls.filter(shown).length };
  });
  // Browsers leave out grounds where nobody asks for them, and bars and intervals are made of those.
  const grounds = await page.evaluate(() => getComputedStyle(document.querySelector('[data-mark]') ?? document.body).printColorAdjust);
  // Paper is light, whatever the screen and the reader had chosen.
  const ground = () => page.evaluate(() => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = 'var(--ground)';
    const { color } = getComputedStyle(probe);
    probe.remove();
    return `${getComputedStyle(document.body).backgroundColor} ${color} ${getComputedStyle(document.body).color}`;
  });
  // The width of a sheet between its margins.
  await page.setViewportSize({ width: 718, height: 900 });
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await page.setViewportSize({ width: 1280, height: 900 });
  const papers = new Set();
  const chosen = await page.evaluate(() => document.documentElement.dataset.theme);
  for (const colorScheme of ['light', 'dark']) {
    for (const theme of ['', 'light', 'dark']) {
      await page.emulateMedia({ media: 'print', colorScheme });
      await page.evaluate((it) => { document.documentElement.dataset.theme = it; }, theme);
      papers.add(await ground());
    }
  }
  await page.evaluate((it) => { if (it) document.documentElement.dataset.theme = it; else delete document.documentElement.dataset.theme; }, chosen);
  await page.emulateMedia({ media: 'print', colorScheme: 'light' });
  const pdf = await page.pdf({ format: 'A4' });
  await page.emulateMedia({ media: 'screen' });
  const wrong = [];
  if (expected.charts && found.figures < expected.charts) wrong.push(`print shows ${found.figures} charts, expected ${expected.charts}`);
  if (found.marked < found.figures) wrong.push(`print shows ${found.figures - found.marked} charts without marks`);
  if (grounds !== 'exact') wrong.push(`bars and intervals are left out of the print (${grounds})`);
  const [red] = [...papers][0].match(/\d+/g).map(Number);
  if (papers.size !== 1 || red < 200) wrong.push(`paper is not always light: ${[...papers].join('; ')}`);
  if (beyond > 0) wrong.push(`the print is ${beyond} px wider than its sheet`);
  if (found.controls > 0) wrong.push(`print shows ${found.controls} controls that do nothing on paper`);
  if (pdf.subarray(0, 5).toString() !== '%PDF-' || pdf.length < 5_000) wrong.push(`the PDF has ${pdf.length} bytes`);
  return wrong;
}
