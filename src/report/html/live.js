// The live page: takes new states from the stream, changes only what differs, and stops the run when told to.
'use strict';
(() => {
  const at = (id) => document.getElementById(id);
  const state = at('live-state');
  const field = at('live-token');
  const button = at('live-button');
  const answer = at('live-answer');

  // The token came in the fragment, which no server sees; it does not stay in the address bar.
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    field.value = given;
    history.replaceState(null, '', location.pathname);
  }

  // What the reader has done to the page is not undone.
  const KEPT = new Set(['open', 'hidden', 'aria-sort', 'aria-pressed', 'aria-expanded']);

  function attributes(from, to) {
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !KEPT.has(name)) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (!KEPT.has(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  }

  function same(a, b) {
    return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || '') === (b.id || '');
  }

  function morph(from, to) {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    if (from.isEqualNode(to)) return;
    attributes(from, to);
    // What is typed stays: only attributes of a field change.
    if (from.matches('input, textarea, select')) return;
    let old = from.firstChild;
    for (const next of [...to.childNodes]) {
      if (old && !same(old, next)) {
        let later = old.nextSibling;
        // What has a name is passed over only by what has one: else it would be made anew, and folded.
        while (later && !same(later, next)) later = later.id && !next.id ? null : later.nextSibling;
        if (later) {
          while (old !== later) { const gone = old; old = old.nextSibling; gone.remove(); }
        }
      }
      if (old && same(old, next)) {
        morph(old, next);
        old = old.nextSibling;
      } else {
        from.insertBefore(document.importNode(next, true), old);
      }
    }
    while (old) { const gone = old; old = old.nextSibling; gone.remove(); }
  }

  function show(text) {
    const next = new DOMParser().parseFromString(text, 'text/html');
    const progress = next.getElementById('live-progress');
    if (progress && at('live-progress')) at('live-progress').textContent = progress.textContent;
    const main = next.querySelector('main');
    const here = document.querySelector('main');
    if (main && here) morph(here, main);
    if (next.title) document.title = next.title;
    document.dispatchEvent(new Event('loadgate:update'));
  }

  // A run that is killed says nothing: silence is a connection that broke, and what stays broken is gone.
  const SILENCE = 15000;
  const RETRY = 1000;
  const PATIENCE = 10000;
  const QUIET = 10000;
  const LAST_SEEN = 'The run has ended, was killed, or cannot be reached. What is shown is the last that was seen of it: partial, and no verdict.';
  let events;
  let timer;
  let broken = 0;

  function say(text, { gone = false, other = false } = {}) {
    state.textContent = text;
    at('live-gone').hidden = !gone;
    at('live-other').hidden = !other;
    at('live-stop').hidden = gone || other;
  }

  function heard() {
    broken = 0;
    clearTimeout(timer);
    timer = setTimeout(lost, SILENCE);
    say('running');
  }

  function lost() {
    broken ||= Date.now();
    const gone = Date.now() - broken >= PATIENCE;
    say(gone ? 'gone' : 'reconnecting…', { gone });
    if (gone) partial();
    again(gone ? QUIET : RETRY);
  }

  function hangUp() {
    events.close();
    clearTimeout(timer);
  }

  function again(after) {
    hangUp();
    timer = setTimeout(connect, after);
  }

  // The numbers stay, and say what they are; the next page of the run, should there be one, takes it back.
  function partial() {
    const verdict = document.querySelector('[data-verdict]');
    verdict.className = 'verdict warn';
    verdict.dataset.verdict = 'gone';
    const mark = document.createElement('span');
    mark.className = 'partial';
    mark.textContent = 'partial';
    verdict.querySelector('h1').replaceChildren('GONE ', mark);
    verdict.querySelector('.sentence').textContent = LAST_SEEN;
    document.title = document.title.replace(/^[^·]*/, 'GONE ');
  }

  function connect() {
    // The path is of this run alone: any other that answers here says so.
    events = new EventSource('events');
    timer = setTimeout(lost, SILENCE);
    events.onopen = heard;
    events.onerror = lost;
    events.addEventListener('alive', heard);
    events.addEventListener('page', (event) => { heard(); show(event.data); });
    events.addEventListener('full', (event) => { say(event.data); again(QUIET); });
    events.addEventListener('other', () => { hangUp(); say('another run', { other: true }); partial(); });
    events.addEventListener('end', (event) => {
      hangUp();
      at('live').remove();
      show(event.data);
    });
  }

  addEventListener('pagehide', hangUp);
  addEventListener('pageshow', (event) => { if (event.persisted && at('live')) connect(); });
  connect();

  // The second click means it.
  let armed = 0;
  function disarm() {
    clearTimeout(armed);
    armed = 0;
    button.textContent = 'Stop the run';
  }
  at('live-stop').addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!armed) {
      button.textContent = 'Really stop?';
      armed = setTimeout(disarm, 5000);
      return;
    }
    disarm();
    button.disabled = true;
    answer.textContent = 'asking…';
    try {
      const reply = await fetch('/stop', { method: 'POST', headers: { 'X-Loadgate-Token': field.value.trim() } });
      answer.textContent = (await reply.text()).trim();
      button.disabled = reply.ok;
    } catch {
      answer.textContent = 'the run does not answer';
      button.disabled = false;
    }
  });
})();
