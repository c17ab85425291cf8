// A round of a class: what is tapped goes to the server, and what all see comes by a stream. The secret of who
// opened it, or of a member, is kept in this tab alone, so that a page that is loaded again is still in its round.

const KEY = 'lv-round';
const box = () => element.querySelector('.lv-class');
let secret = sessionStorage.getItem(KEY) || '', steers = false, stream = null, number = 0, waiting = 0;

const send = (act, more = {}) => {
  const address = location.origin + location.pathname;
  // What the networks may have to follow is an event of its own.
  trigger(['open', 'go'].includes(act) || steers ? 'submit' : 'select',
    { act, secret, code: '', value: '', place: 0, address, number: number++, ...more });
};

const say = (words) => { box().querySelector('[role=status]').textContent = words; };

const put = (key, html) => {
  const place = box().querySelector(`[data-piece=${key}]`), focused = document.activeElement;
  const held = place.contains(focused) && focused.dataset.act;
  place.innerHTML = html;
  if (held) (place.querySelector('[data-act]:not(:disabled)') || place).focus();
};

const leave = (words = '') => {
  stream?.close();
  stream = null;
  secret = '';
  steers = false;
  sessionStorage.removeItem(KEY);
  // What is said of it stands at the top.
  if (box().classList.contains('lv-within')) scrollTo(0, 0);
  box().classList.remove('lv-within', 'lv-steers');
  say(words);
  const address = new URL(location.href);
  address.searchParams.delete('round');
  history.replaceState(history.state, '', address);
};

const watchRound = () => {
  stream?.close();
  stream = new EventSource(new URL(`round/${secret}`, document.baseURI));
  stream.onmessage = ({ data }) => {
    say('');
    for (const [key, html] of Object.entries(JSON.parse(data))) put(key, html);
    box().classList.add('lv-within');
    box().classList.toggle('lv-steers', steers);
  };
  stream.addEventListener('gone', ({ data }) => leave(JSON.parse(data)));
  stream.onerror = () => {
    say(box().dataset.lost);
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => secret && send('join'), 1000);
  };
};

document.addEventListener('lv-round', ({ detail }) => {
  clearTimeout(waiting);
  if (detail.said || detail.gone) return leave(detail.said || detail.gone);
  steers = detail.steers;
  const button = box().querySelector('.lv-leave');
  button.textContent = steers ? button.dataset.end : button.dataset.leave;
  if (detail.door) put('door', detail.door);
  if (stream && stream.readyState !== EventSource.CLOSED) return;
  secret = detail.secret;
  sessionStorage.setItem(KEY, secret);
  watchRound();
  // Loaded again while the networks were asked.
  if (steers) send('look');
});

element.addEventListener('click', ({ target }) => {
  const button = target.closest('[data-act]');
  if (!button) return;
  const { act, value, place } = button.dataset;
  if (act === 'leave') {
    if (steers) send('end');
    else leave();
    return;
  }
  // One tap: a second would be one too many.
  const beside = button.parentElement.querySelectorAll('[data-act]');
  for (const one of beside) one.disabled = true;
  setTimeout(() => { for (const one of beside) one.disabled = false; }, 3000);
  send(act, { value, place });
});
element.addEventListener('submit', (event) => {
  event.preventDefault();
  const code = event.target.code.value.trim();
  if (code) send('join', { code });
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && secret && stream?.readyState === EventSource.CLOSED) send('join');
});

const code = new URLSearchParams(location.search).get('round') || '';
// The page may not listen yet, and a class that comes in at once may have to wait.
const enter = (attempts) => {
  if (stream || !attempts) return;
  send('join', { code });
  waiting = setTimeout(enter, 3000, attempts - 1);
};
if (code || secret) enter(40);
