// What must hold of a report however it is opened: checks that only look and change nothing. Each returns
// the sentences that are wrong, none when all is well.

import { AxeBuilder } from '@axe-core/playwright';

const STATUSES = ['passed', 'failed', 'inconclusive', 'invalid', 'interrupted'];

/** The verdict comes first and is of the expected status. */
export async function verdict(page, expected = {}) {
  const found = await page.evaluate(() => {
    const main = document.querySelector('main');
    const first = main?.querySelector('section');
    const shown = document.querySelector('[data-verdict]');
    return {
      mains: document.querySelectorAll('main').length,
      headings: document.querySelectorAll('h1').length,
      first: first?.dataset.section,
      status: shown?.dataset.verdict,
      visible: !!shown && shown.getBoundingClientRect().height > 0 && shown.innerText.trim().length > 0,
      title: document.title.trim(),
      pwned: String(window.pwned),
    };
  });
  const wrong = [];
  if (found.mains !== 1) wrong.push(`${found.mains} <main> instead of one`);
  if (found.headings !== 1) wrong.push(`${found.headings} <h1> instead of one`);
  if (found.first !== 'verdict') wrong.push(`the first section is ${found.first}, not the verdict`);
  const right = expected.verdict ? found.status === expected.verdict : STATUSES.includes(found.status);
  if (!right) wrong.push(`data-verdict is ${found.status}, expected ${expected.verdict ?? STATUSES.join(' or ')}`);
  if (!found.visible) wrong.push('the verdict is not visible');
  if (!found.title) wrong.push('the document has no title');
  if (found.pwned !== 'undefined') wrong.push(`injected code ran: window.pwned is ${found.pwned}`);
  return wrong;
}

/** No number that is none, in any attribute or visible text. */
export async function words(page) {
  return page.evaluate(() => {
    const none = /NaN|\b(Infinity|undefined|null)\b/;
    const wrong = [];
    for (const element of document.querySelectorAll('body, body *')) {
      for (const { name, value } of element.attributes) {
        if (!value.startsWith('data:') && none.test(value)) wrong.push(`<${element.localName} ${name}="${value.slice(0, 80)}">`);
      }
    }
    const line = document.body.innerText.split('\n').find((text) => none.test(text));
    if (line) wrong.push(`the text "${line.slice(0, 120)}"`);
    return wrong.slice(0, 5).map((what) => `a value that is none: ${what}`);
  });
}

/** Nothing sticks out of the document; wide tables scroll in boxes of their own. */
export async function width(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const out = (element) => element.getBoundingClientRect().right > clientWidth + 1;
    const scrolls = (element) => ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(element).overflowX);
    const held = (element) => {
      for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) if (scrolls(up)) return true;
      return false;
    };
    const culprits = [...document.querySelectorAll('body *')].filter((element) => out(element) && !held(element));
    const names = culprits.slice(0, 3).map((it) => `<${it.localName} class="${it.getAttribute('class') ?? ''}">`);
    return [`scrolls sideways: ${scrollWidth} px in ${clientWidth} px, because of ${names.join(', ')}`];
  });
}

/**
 * Objectives and intervals can be read as they stand: every cell is within the screen and in no box that would
 * have to be scrolled, however narrow it is.
 */
export async function rows(page) {
  return page.evaluate(() => {
    const wrong = [];
    const { clientWidth } = document.documentElement;
    const clipped = (cell) => {
      for (let up = cell.parentElement; up && up !== document.body; up = up.parentElement) {
        const clips = ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(up).overflowX);
        if (clips && up.scrollWidth > up.clientWidth + 1) return up;
      }
      return null;
    };
    const tables = 'figure[data-chart=objectives] table, figure[data-chart^=deltas] table';
    for (const table of document.querySelectorAll(tables)) {
      for (const cell of table.querySelectorAll('tbody tr > *')) {
        const what = `"${cell.textContent.trim().slice(0, 40)}" of ${table.closest('figure').dataset.chart}`;
        const { left, right, width } = cell.getBoundingClientRect();
        if (left < -0.5 || right > clientWidth + 0.5) wrong.push(`${what} sticks out: ${left.toFixed(0)}…${right.toFixed(0)} of ${clientWidth}`);
        else if (width < 1) wrong.push(`${what} cannot be seen`);
        else if (cell.scrollWidth > cell.clientWidth + 1) wrong.push(`${what} does not fit its cell`);
        else if (clipped(cell)) wrong.push(`${what} is reached only by scrolling`);
      }
    }
    return wrong.slice(0, 5);
  });
}

/** The rows of tables that become blocks are still rows, with as many heads and cells as there are. */
export async function roles(page) {
  const wrong = [];
  const tables = page.locator('table.rows');
  for (let index = 0; index < await tables.count(); index += 1) {
    const table = tables.nth(index);
    const there = await table.evaluate((it) => ({
      row: it.rows.length,
      columnheader: it.tHead.rows[0].cells.length,
      rowheader: it.querySelectorAll('tbody th').length,
      cell: it.querySelectorAll('tbody td').length,
    }));
    if (await page.getByRole('table').and(table).count() !== 1) wrong.push(`table ${index + 1} is no table`);
    for (const [role, count] of Object.entries(there)) {
      const found = await table.getByRole(role).count();
      if (found !== count) wrong.push(`table ${index + 1} has ${found} of the role ${role}, expected ${count}`);
    }
  }
  return wrong;
}

/** A change is marked beside its interval, and never over it; what lies further out is told. */
export async function intervals(page, expected = {}) {
  const { wrong, further } = await page.evaluate(() => {
    const wrong = [];
    let further = 0;
    for (const plot of document.querySelectorAll('.plot.interval')) {
      const row = plot.closest('tr').querySelector('th').textContent.trim();
      const box = (name) => plot.querySelector(name)?.getBoundingClientRect();
      const [range, centre] = [box('.range'), box('.centre')];
      const more = plot.querySelectorAll('.more').length;
      if (!range && !more) wrong.push(`nothing is drawn of ${row}`);
      if (range && range.width < 3) wrong.push(`the interval of ${row} is ${range.width} px wide`);
      if (range && centre && centre.bottom > range.top + 0.5) wrong.push(`the mark of ${row} covers its interval`);
      if (!centre && !more) wrong.push(`${row} has no mark, and is not said to lie further out`);
      for (const sign of plot.querySelectorAll('.more')) {
        further += 1;
        const said = plot.querySelector(`.further.${sign.classList.contains('left') ? 'left' : 'right'}`);
        if (!/\d/.test(said?.textContent ?? '')) wrong.push(`${row} lies further out, and no number says how far`);
        if (!plot.innerText.includes('further out than drawn')) wrong.push(`nobody is told that ${row} lies further out`);
      }
    }
    return { wrong: wrong.slice(0, 5), further };
  });
  if (expected.further && further === 0) wrong.push('no change is said to lie further out than it is drawn');
  return wrong;
}

/** A table that scrolls sideways keeps the names of its rows in sight, and shows that there is more. */
export async function sticky(page) {
  return page.evaluate(() => {
    const wrong = [];
    const boxes = ['#endpoints', '#part-metrics table'].map((it) => document.querySelector(it)?.closest('.scroll'));
    for (const box of boxes.filter(Boolean)) {
      const name = box.getAttribute('aria-label');
      if (box.scrollWidth <= box.clientWidth + 1) continue;
      if (!getComputedStyle(box).backgroundImage.includes('gradient')) wrong.push(`${name}: nothing shows that there is more`);
      box.scrollLeft = box.scrollWidth;
      const head = box.querySelector('tbody th').getBoundingClientRect();
      if (Math.abs(head.left - box.getBoundingClientRect().left) > 1) wrong.push(`${name}: names of rows scroll out of sight`);
      if (head.width > box.clientWidth * 0.6) wrong.push(`${name}: names take ${head.width} px of ${box.clientWidth}`);
      box.scrollLeft = 0;
    }
    return wrong;
  });
}

/** Every chart has marks inside its axes, labels that can be read, a name, and a table behind it. */
export async function charts(page, expected = {}) {
  const wrong = await page.evaluate(() => {
    const EDGE = 1.5;
    const wrong = [];
    const shown = (element) => element.checkVisibility({ visibilityProperty: true });
    // The geometry alone: a stroke may well stand over the edge of the axes.
    const box = (mark) => {
      if (!(mark instanceof SVGGraphicsElement) || mark instanceof SVGSVGElement) return mark.getBoundingClientRect();
      const matrix = mark.getScreenCTM();
      const { x, y, width, height } = mark.getBBox();
      if (!matrix) return new DOMRect(NaN, NaN, NaN, NaN);
      const corners = [[x, y], [x + width, y + height]].map(([a, b]) => new DOMPoint(a, b).matrixTransform(matrix));
      const [xs, ys] = [corners.map((it) => it.x), corners.map((it) => it.y)];
      return DOMRect.fromRect({
        x: Math.min(...xs), y: Math.min(...ys),
        width: Math.abs(xs[1] - xs[0]), height: Math.abs(ys[1] - ys[0]),
      });
    };
    const told = (rect) => `${rect.x.toFixed(1)}…${rect.right.toFixed(1)} × ${rect.y.toFixed(1)}…${rect.bottom.toFixed(1)}`;
    const marksOf = (name, figure) => {
      const marks = [...figure.querySelectorAll('[data-mark]')];
      if (marks.length === 0) wrong.push(`chart ${name} has no mark`);
      let drawn = 0;
      for (const mark of marks) {
        const what = `chart ${name}: mark ${mark.dataset.mark || mark.localName}`;
        const plot = mark.closest('.plot');
        if (!plot) { wrong.push(`${what} is in no .plot`); continue; }
        if (!shown(mark)) continue;
        const [rect, axes] = [box(mark), plot.getBoundingClientRect()];
        const sides = [rect.x, rect.y, rect.width, rect.height];
        if (!sides.every(Number.isFinite)) { wrong.push(`${what} has no place`); continue; }
        const dot = getComputedStyle(mark).stroke !== 'none' && getComputedStyle(mark).strokeLinecap !== 'butt';
        if (rect.width <= 0 && rect.height <= 0 && !dot) { wrong.push(`${what} has no size`); continue; }
        drawn += 1;
        const inside = rect.left >= axes.left - EDGE && rect.right <= axes.right + EDGE
          && rect.top >= axes.top - EDGE && rect.bottom <= axes.bottom + EDGE;
        if (!inside) wrong.push(`${what} at ${told(rect)} is outside its axes at ${told(axes)}`);
      }
      if (marks.length > 0 && drawn === 0) wrong.push(`chart ${name} shows none of its ${marks.length} marks`);
    };
    const plotsOf = (name, figure) => {
      for (const plot of figure.querySelectorAll('.plot')) {
        const { width, height } = plot.getBoundingClientRect();
        if (!shown(plot)) continue;
        if (!(width > 20 && height > 4)) wrong.push(`chart ${name}: axes of ${width} × ${height} px`);
        if (getComputedStyle(plot).position !== 'relative') wrong.push(`chart ${name}: .plot is not position: relative`);
      }
    };
    // Labels are SVG texts, or placed elements without children; those of one parent belong together.
    const labelsOf = (name, figure) => {
      const placed = (it) => it.localName === 'text'
        || (it.childElementCount === 0 && getComputedStyle(it).position === 'absolute' && !it.closest('[data-readout]'));
      const labels = [...figure.querySelectorAll('*')].filter((it) => it.textContent.trim() && placed(it) && shown(it));
      const groups = Map.groupBy(labels, (it) => it.parentElement);
      for (const [parent, group] of groups) {
        const rects = group.map((it) => ({ text: it.textContent.trim(), rect: it.getBoundingClientRect() }))
          .filter(({ rect }) => rect.width > 1 && rect.height > 1);
        const scrolled = (() => {
          for (let up = parent; up && up !== document.body; up = up.parentElement) if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX)) return true;
          return false;
        })();
        rects.forEach(({ text, rect }, index) => {
          if (!scrolled && (rect.left < -0.5 || rect.right > document.documentElement.clientWidth + 0.5)) {
            wrong.push(`chart ${name}: the label "${text}" is cut off at ${told(rect)}`);
          }
          for (const other of rects.slice(index + 1)) {
            const across = Math.min(rect.right, other.rect.right) - Math.max(rect.left, other.rect.left);
            const down = Math.min(rect.bottom, other.rect.bottom) - Math.max(rect.top, other.rect.top);
            if (across > 1 && down > 2) wrong.push(`chart ${name}: the labels "${text}" and "${other.text}" overlap`);
          }
        });
        for (const label of group) {
          const clips = getComputedStyle(label).overflowX !== 'visible' && label.scrollWidth > label.clientWidth + 1;
          if (clips && label.clientWidth > 1) wrong.push(`chart ${name}: the label "${label.textContent.trim()}" is clipped`);
        }
      }
    };
    const tableOf = (name, figure) => {
      const named = document.querySelector(`[data-table-for="${CSS.escape(name)}"]`);
      const table = figure.querySelector('table') ?? (named?.matches('table') ? named : named?.querySelector('table'));
      if (!table) wrong.push(`chart ${name} has no table`);
      else if (table.querySelectorAll('tbody tr').length === 0) wrong.push(`the table of chart ${name} has no rows`);
      else if (table.querySelectorAll('th').length === 0) wrong.push(`the table of chart ${name} has no head`);
    };
    const names = new Set();
    for (const figure of document.querySelectorAll('figure[data-chart]')) {
      const name = figure.dataset.chart;
      if (names.has(name)) wrong.push(`two charts are called ${name}`);
      names.add(name);
      if (!shown(figure)) continue;
      marksOf(name, figure);
      plotsOf(name, figure);
      labelsOf(name, figure);
      tableOf(name, figure);
    }
    return wrong;
  });
  const count = await page.locator('figure[data-chart]').count();
  if (expected.charts && count < expected.charts) wrong.push(`${count} charts, expected at least ${expected.charts}`);
  return wrong.length > 12 ? [...wrong.slice(0, 12), `and ${wrong.length - 12} more wrong with the charts`] : wrong;
}

/** Nothing that axe-core knows to be a barrier, best practice included. */
export async function axe(page) {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
  return violations.map(({ id, help, nodes }) => {
    const first = nodes[0];
    return `axe ${id}: ${help}; ${nodes.length} ×, first ${first.target.join(' ').slice(0, 160)}: `
      + `${(first.any[0] ?? first.all[0] ?? first.none[0])?.message.slice(0, 200) ?? ''}`;
  });
}
