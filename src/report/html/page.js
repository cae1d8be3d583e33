'use strict';
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Sorting: by number where a cell holds one, else by text; cells without a number come last.
  const sorted = new Map();
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.hasAttribute('data-value') ? cell.dataset.value : cell.textContent.trim();
  };
  const compare = (a, b, column, sign) => {
    const [x, y] = [value(a, column), value(b, column)];
    if (x === '' || y === '') return (x === '') - (y === '');
    const [m, n] = [Number(x), Number(y)];
    return sign * (Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y) : m - n);
  };
  const sort = (table, column, direction) => {
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(a, b, column, direction === 'ascending' ? 1 : -1));
    table.tBodies[0].append(...rows);
    all('th[aria-sort]', table).forEach((head) => {
      head.setAttribute('aria-sort', head.cellIndex === column ? direction : 'none');
    });
    sorted.set(table.id, [column, direction]);
  };

  const filter = (input) => {
    const table = document.getElementById(input.dataset.filter);
    const rows = [...table.tBodies[0].rows];
    const wanted = input.value.trim().toLowerCase();
    rows.forEach((row) => { row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted); });
    const shown = rows.filter((row) => !row.hidden).length;
    const state = document.querySelector(`[data-filter-state="${input.dataset.filter}"]`);
    state.textContent = wanted ? `${shown} of ${rows.length} shown` : '';
  };

  // Pointing: a moment of the run, on all charts at once, told from the table behind them.
  const moments = () => all('[data-moments] tbody tr');
  const heads = () => all('[data-moments] thead th').map((head) => head.textContent);
  const point = (input) => {
    const row = moments()[Number(input.value)];
    if (!row) return;
    const names = heads();
    const text = [...row.cells].map((cell, index) => (index < 2 ? cell.textContent : `${names[index]} ${cell.textContent}`));
    input.setAttribute('aria-valuetext', text.join(', '));
    all('[data-now]').forEach((now) => {
      const cell = row.cells[names.indexOf(now.dataset.now)];
      now.textContent = cell ? cell.textContent : '';
    });
    const readout = document.querySelector('[data-readout]');
    readout.textContent = text.join(' · ');
    readout.hidden = false;
    all('.timeline .crosshair').forEach((line) => {
      line.style.left = row.dataset.at;
      line.hidden = false;
    });
  };
  const nearest = (share) => {
    const distances = moments().map((row) => Math.abs(parseFloat(row.dataset.at) - share * 100));
    return distances.indexOf(Math.min(...distances));
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest('table[data-sortable] th button');
    if (!button) return;
    const head = button.closest('th');
    const first = head.classList.contains('num') ? 'descending' : 'ascending';
    const other = first === 'ascending' ? 'descending' : 'ascending';
    sort(head.closest('table'), head.cellIndex, head.getAttribute('aria-sort') === first ? other : first);
  });
  document.addEventListener('input', (event) => {
    if (event.target.matches('[data-filter]')) filter(event.target);
    if (event.target.matches('[data-scrub]')) point(event.target);
  });
  document.addEventListener('focusin', (event) => {
    if (event.target.matches('[data-scrub]')) point(event.target);
  });
  document.addEventListener('pointermove', (event) => {
    const plot = event.target instanceof Element && event.target.closest('.timeline .plot');
    if (!plot) return;
    const box = plot.getBoundingClientRect();
    const input = document.querySelector('[data-scrub]');
    input.value = nearest((event.clientX - box.left) / box.width);
    point(input);
  });

  // Light or dark: as the system says, until somebody says otherwise.
  const root = document.documentElement;
  const toggle = document.querySelector('[data-theme-toggle]');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches);
  const name = () => { toggle.textContent = isDark() ? 'Light' : 'Dark'; };
  toggle.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    name();
  });
  dark.addEventListener('change', name);
  toggle.hidden = false;
  name();

  // What was asked for stays so when the page is brought up to date.
  const refresh = () => {
    all('.scrub, .tools').forEach((label) => { label.hidden = false; });
    sorted.forEach(([column, direction], id) => {
      const table = document.getElementById(id);
      if (table) sort(table, column, direction);
    });
    all('[data-filter]').forEach(filter);
    all('[data-readout]:not([hidden])').forEach(() => point(document.querySelector('[data-scrub]')));
  };
  document.addEventListener('loadgate:update', refresh);
  refresh();
})();
