// Many cells: sends files a handful at a time, holds what comes back, shows and sorts it. Nothing of a batch
// is kept anywhere else. Gradio runs this with `element` (the component).

const root = element.querySelector('.lv-batch');
const find = (selector) => root.querySelector(selector);
const words = JSON.parse(root.dataset.words);
const [LIMIT, HANDFUL, MINE] = [Number(root.dataset.limit), Number(root.dataset.handful), root.dataset.mine];
const ROWS = 50;
const TILES = 120;
const MEGABYTES = 32;
const AHEAD = 2;

// The texts of a group, as `filters.all` and so on, by the last part of their keys.
const group = (name) => Object.fromEntries(
  Object.entries(words).filter(([key]) => key.startsWith(name + '.')).map(([key, text]) => [key.slice(name.length + 1), text]));
const figure = (value, digits) => value.toFixed(digits).replace('.', words['page.decimal']);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
const say = (text) => (find('.lv-batch-state').textContent = text);

// What there is to do (`items`, of which `done` are), what was found (`rows`, in the same order, several of a
// photo) and how it is looked at.
const fresh = () => ({ items: [], done: 0, rows: [], left: [], running: false, seconds: 0, judged: 0, told: 0, work: Promise.resolve(), telling: Promise.resolve() });
let now = fresh();
const look = { filter: 'all', view: 'table', by: 'place', up: true, page: 0 };

// The server

const { root: origin = location.origin, api_prefix: prefix = '/gradio_api' } = window.gradio_config || {};
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// One request. Where the server says that it is too early, it is asked again when it wants to be.
const ask = async (path, options, patient = () => true, note = say) => {
  while (true) {
    const answer = await fetch(`${origin}${prefix}/${path}`, { method: 'POST', ...options });
    if (answer.ok) return answer;
    const { detail } = await answer.json().catch(() => ({}));
    const seconds = Number(answer.headers.get('Retry-After'));
    const full = answer.status === 503 && path.startsWith('call/');
    if (!patient() || !(seconds || full)) throw Object.assign(new Error(answer.status), { sentence: detail });
    note(seconds ? detail : words.waiting);
    await wait(seconds || 2);
  }
};

// Through the queue that everybody waits in; a full one is waited for.
const call = async (name, data, patient, note) => {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await ask(`call/${name}`, { headers, body: JSON.stringify({ data }) }, patient, note);
  const { event_id: id } = await answer.json();
  const stream = await (await fetch(`${origin}${prefix}/call/${name}/${id}`)).text();
  const last = stream.trim().split('\n\n').pop();
  if (!last.startsWith('event: complete')) throw new Error(last);
  return JSON.parse(last.slice(last.indexOf('data: ') + 6))[0];
};

let number = 0;
const nonce = MINE + crypto.getRandomValues(new Uint32Array(4)).join('-');
const upload_all = async (files, patient) => {
  if (!files.length) return [];
  const form = new FormData();
  // The server need not know what the files are called on the visitor's disk.
  for (const file of files) form.append('files', file, `${nonce}-${number++}`);
  return (await ask('upload', { body: form }, patient)).json();
};

// Taking files

const is_zip = (file) => /\.zip$/i.test(file.name);
const unread = (name, error, said = error) => ({ name, rows: [{ row: { file: name, error }, said, agree: [0, 0], thumbnail: '' }] });

const open = async (file, own) => {
  const values = { name: file.name, limit: LIMIT / 2 ** 20 };
  if (file.size > LIMIT) return [unread(file.name, fill(words.large_zip, values))];
  say(fill(words.opening, values));
  const zip = { file, path: (await upload_all([file]))[0] };
  const { names, error, said, left } = await call('batch_open', [zip.path, file.name]);
  if (!names) return [unread(file.name, error || fill(words.lost, values), said)];
  if (left) own.left.push(left);
  return names.map((name, place) => ({ name, zip, place }));
};

const take = async (files) => {
  files = [...files];
  const own = now;
  root.classList.toggle('lv-has', own.items.length + files.length > 0);
  for (const file of files) {
    if (is_zip(file)) {
      own.items.push(...(await open(file, own).catch((error) => [
        unread(file.name, error.sentence || fill(words.lost, { name: file.name })),
      ])));
    } else if (file.size > LIMIT) {
      own.items.push(unread(file.name, fill(words.large, { name: file.name, limit: LIMIT / 2 ** 20 })));
    } else {
      own.items.push({ name: file.name, file });
    }
  }
  if (own === now && files.length && !own.running) run(own);
};

// What the cells say together is worked out where the ensemble is; only what that takes is sent.
const together = async (own) => {
  const rows = own.rows
    .filter(({ row }) => row.p_all != null)
    .map(({ row: { file, decision, p_all, in_domain } }) => ({ file, decision, p_all, in_domain }));
  const said = rows.length < 2 ? [] : await call('batch_slides', [rows], () => own === now, () => {}).catch(() => []);
  if (own === now) find('.lv-batch-together').replaceChildren(...said.map((text) => make('p', {}, text)));
};
const tell = (own) => {
  own.told = own.rows.length;
  own.telling = own.telling.then(() => own === now && together(own));
};

// Doing the work: while the networks look at one handful, the next waits in the queue.

const handful = (from, items) => {
  let [bytes, count] = [0, 0];
  while (count < HANDFUL && from + count < items.length && (!count || bytes < MEGABYTES * 2 ** 20)) {
    bytes += items[from + count++].file?.size || 0;
  }
  return items.slice(from, from + count);
};

const send = async (items, patient) => {
  const paths = await upload_all(items.flatMap((one) => one.file || []), patient);
  return items
    .filter((one) => !one.rows)
    .map(({ name, zip, place }) => {
      return zip ? { path: zip.path, name: zip.file.name, place } : { path: paths.shift(), name };
    });
};

// Zip files lie on the server until they are done. Were they deleted while a batch stood still, they are
// sent once more.
const again = async (items, patient) => {
  for (const zip of new Set(items.flatMap((one) => one.zip || []))) {
    zip.path = (await upload_all([zip.file], patient))[0];
  }
  return send(items, patient);
};

const judge = async (items, own) => {
  const patient = () => own.running;
  const loading = document.querySelector('.lv-loading') && setTimeout(() => say(words.loading), 1500);
  try {
    const sent = await send(items, patient);
    let found = sent.length ? await call('batch_cells', [sent], patient) : { rows: [] };
    if (found.lost) found = await call('batch_cells', [await again(items, patient)], patient);
    if (!found.rows) throw Object.assign(new Error(), { sentence: found.error });
    return items.map((one) => one.rows || found.rows.shift());
  } finally {
    clearTimeout(loading);
  }
};

const work = async (own) => {
  let failed = '';
  let from = own.done;
  const ahead = [];
  let start = performance.now();
  let drawn = -Infinity;
  try {
    while (true) {
      while (own.running && ahead.length < AHEAD && from < own.items.length) {
        const items = handful(from, own.items);
        from += items.length;
        const found = judge(items, own);
        found.catch(() => {}); // said where it is waited for
        ahead.push(found);
      }
      if (!ahead.length) break;
      const files = await ahead.shift();
      for (const row of files.flat()) own.rows.push({ ...row, place: own.rows.length });
      own.done += files.length;
      own.seconds += (performance.now() - start) / 1000;
      start = performance.now();
      own.judged += files.length;
      if (own === now) {
        say(own.running ? '' : words.stopping);
        // Asked again when there is a quarter more, all of it sends not more than a few times what there is.
        if (own.rows.length >= 1.25 * own.told) tell(own);
        // Drawing it takes time that the networks could have, where they are on the same machine.
        if (start - drawn > 1000) {
          show();
          drawn = start;
        } else {
          bar();
        }
      }
    }
  } catch (error) {
    // Whoever stops while the queue is full has not lost the server.
    failed = own.running ? error.sentence || words.broken : '';
  }
  own.running = false;
  if (own !== now) return;
  if (own.rows.length > own.told) tell(own);
  const whole = own.done === own.items.length;
  say(failed || (whole ? [fill(words.done, { count: own.done }), ...own.left].join(' ') : words.stopped));
  show();
};

// One after the other: who goes on before the last handful is back goes on with what is there then.
const run = (own) => {
  own.running = true;
  show();
  own.work = own.work.then(() => work(own));
};

// Looking at it

const disagree = ({ agree: [own, count] }) => own < count;
const is = {
  all: () => true,
  unsure: ({ row }) => row.decision === 'unsure',
  disagree,
  odd: ({ row }) => row.in_domain === false,
  error: ({ row }) => Boolean(row.error),
};
const spread = ({ row }) => {
  const own = Object.keys(row).filter((key) => key.startsWith('p_all_') && row[key] !== null);
  return own.length ? Math.max(...own.map((key) => row[key])) - Math.min(...own.map((key) => row[key])) : 0;
};
const key = {
  place: (one) => one.place,
  decision: ({ row }) => row.decision || words['filters.error'],
  p_all: ({ row }) => row.p_all ?? null,
  // Of as many that agree, those come first that are further apart.
  agree: (one) => (one.row.p_all == null ? null : one.agree[0] - spread(one)),
  in_domain: ({ row }) => (row.in_domain == null ? null : Number(row.in_domain)),
  file: ({ row }) => row.file,
};
const natural = new Intl.Collator(undefined, { numeric: true });
const compare = (a, b) => {
  // What has no value comes last, whichever way the rest is sorted.
  if (a === null || b === null) return [(a === null) - (b === null), true];
  return [typeof a === 'string' ? natural.compare(a, b) : a - b, false];
};
const sorted = () => {
  const [by, up] = look.view === 'montage' ? ['p_all', false] : [look.by, look.up];
  return now.rows
    .filter(is[look.filter])
    .filter((one) => look.view !== 'montage' || one.thumbnail)
    .map((one) => [key[by](one), one])
    .sort(([a, one], [b, other]) => {
      const [order, last] = compare(a, b);
      return (last || up ? order : -order) || one.place - other.place;
    })
    .map(([, one]) => one);
};

const make = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const thumbnail = (one, alt) =>
  one.thumbnail
    ? make('img', {
        src: 'data:image/webp;base64,' + one.thumbnail, alt, width: 48, height: 48, className: one.lit ? 'lv-brighter' : '',
      })
    : '';
const decided = ({ row }) => (row.decision ? words['words.' + row.decision] : words['filters.error']);
const chance = ({ row }) => (row.p_all == null ? '' : figure(row.p_all, 2));
const yes_no = ({ row }) => (row.in_domain == null ? '' : row.in_domain ? words.yes : words.no);

// Sentences begin with the name of the file that they are about; in its row it stands already.
const remark = ({ said = '', row: { file } }) => (said.startsWith(`${file}: `) ? said.slice(file.length + 2) : said);

const line = (one) => {
  const [own, of] = one.agree;
  const kind = (one.row.decision || 'error').toLowerCase();
  return make('tr', {},
    make('td', {}, thumbnail(one, '')),
    make('td', { className: 'lv-' + kind }, make('strong', {}, decided(one))),
    make('td', {}, chance(one)),
    make('td', { className: disagree(one) ? 'lv-apart' : '' }, of ? fill(words.agree, { own, of }) : ''),
    make('td', {}, yes_no(one)),
    make('th', { scope: 'row' }, one.row.file, ...(one.said ? [make('small', {}, remark(one))] : [])),
  );
};

const table = (rows) => {
  const head = Object.entries(group('columns')).map(([name, title]) => {
    const cell = make('th', { scope: 'col' }, make('button', { type: 'button', value: name }, title));
    cell.firstChild.dataset.act = 'sort';
    if (look.by === name) cell.ariaSort = look.up ? 'ascending' : 'descending';
    return cell;
  });
  const body = make('tbody', {}, ...rows.map(line));
  return make('div', { className: 'lv-rows' }, make('table', {}, make('thead', {}, make('tr', {}, ...head)), body));
};

const montage = (rows) =>
  make('ol', { className: 'lv-montage' }, ...rows.map((one) => {
    const values = { file: one.row.file, decision: decided(one), p: chance(one) };
    const title = fill(words.tile, values);
    const kind = 'lv-' + one.row.decision.toLowerCase();
    return make('li', { title }, thumbnail(one, title), make('span', { className: kind, ariaHidden: 'true' }, values.p));
  }));

const chooser = (act, title, options) => {
  const list = Object.entries(options).map(([value, text]) => new Option(text, value, false, look[act] === value));
  const made = make('select', {}, ...list);
  made.dataset.act = act;
  return make('label', {}, title + ' ', made);
};
const button = (act, title, value = '', disabled = false) => {
  const made = make('button', { type: 'button', className: 'lv-button', value, disabled }, title);
  made.dataset.act = act;
  return made;
};

const tiles = () => {
  const count = (test) => now.rows.filter(test).length;
  const decisions = ['ALL', 'healthy', 'unsure'].map((name) => {
    return [words['words.' + name], 'lv-' + name.toLowerCase(), count(({ row }) => row.decision === name)];
  });
  const others = ['error', 'disagree', 'odd'].map((name) => [words['filters.' + name], '', count(is[name])]);
  return make('dl', { className: 'lv-tiles lv-counts' }, ...[...decisions, ...others].map(([title, className, value]) =>
    make('div', {}, make('dt', {}, title), make('dd', { className }, value))));
};

const bar = () => {
  const [done, count] = [now.done, now.items.length];
  const progress = find('progress');
  progress.hidden = !count;
  Object.assign(progress, { max: count || 1, value: done });
  for (const [act, there] of Object.entries({
    stop: now.running, go_on: !now.running && done < count, clear: count,
  })) find(`[data-act=${act}]`).hidden = !there;
  const parts = count ? [fill(words.progress, { done, count })] : [];
  if (now.running && now.judged) {
    const speed = now.judged / now.seconds;
    const left = (count - done) / speed;
    const time = left < 90 ? fill(words.seconds, { n: Math.ceil(left) }) : fill(words.minutes, { n: Math.round(left / 60) });
    parts.push(fill(words.speed, { speed: figure(speed, 1), left: time }));
  }
  find('.lv-batch-speed').textContent = parts.join(' · ');
};

const show = () => {
  bar();
  root.classList.toggle('lv-has', Boolean(now.items.length));
  const found = find('.lv-batch-found');
  if (!now.rows.length) return found.replaceChildren();
  const held = document.activeElement?.dataset.act;
  const [held_value, scrolled] = [document.activeElement?.value, find('.lv-rows')?.scrollLeft || 0];
  const rows = sorted();
  const size = look.view === 'montage' ? TILES : ROWS;
  look.page = Math.min(look.page, Math.max(0, Math.ceil(rows.length / size) - 1));
  const first = look.page * size;
  const seen = rows.slice(first, first + size);
  const range = { first: first + 1, last: first + seen.length, count: rows.length };
  const tools = make('div', { className: 'lv-controls' },
    chooser('filter', words.filter, group('filters')),
    chooser('view', words.view, group('views')),
    make('span', { className: 'lv-keep' }, words.keep + ' ',
      ...Object.entries(group('downloads')).map(([kind, title]) => button('keep', title, kind))));
  const pager = make('div', { className: 'lv-pager' },
    button('page', words.previous, -1, !first),
    make('span', {}, fill(words.range, range)),
    button('page', words.next, 1, range.last >= rows.length));
  found.replaceChildren(tiles(), tools,
    ...(seen.length ? [look.view === 'montage' ? montage(seen) : table(seen), pager] : [make('p', {}, words.none)]));
  if (find('.lv-rows')) find('.lv-rows').scrollLeft = scrolled;
  // The page was drawn anew below whoever works it by keyboard.
  if (held) [...found.querySelectorAll(`[data-act=${held}]`)].find((one) => one.value === held_value || one.tagName === 'SELECT')?.focus();
};

// Keeping it

const keep = async (kind) => {
  say(words.making);
  try {
    const thumbnails = kind === 'pdf' ? now.rows.map((one) => one.thumbnail) : [];
    const made = await call('batch_file', [kind, now.rows.map((one) => one.row), thumbnails]);
    if (made.error) return say(made.error);
    const bytes = Uint8Array.from(atob(made.content), (one) => one.charCodeAt(0));
    const link = make('a', {
      href: URL.createObjectURL(new Blob([bytes], { type: made.type })), download: `leukovision.${kind}`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    say('');
  } catch (error) {
    say(words.broken);
  }
};

const acts = {
  choose: () => find('.lv-files').click(),
  stop: () => {
    now.running = false;
    say(words.stopping);
    show();
  },
  go_on: () => run(now),
  clear: () => {
    now.running = false;
    now = fresh();
    look.page = 0;
    say('');
    find('.lv-batch-together').replaceChildren();
    show();
  },
  sort: (value) => Object.assign(look, { up: look.by === value ? !look.up : true, by: value, page: 0 }) && show(),
  page: (value) => ((look.page += Number(value)), show()),
  keep,
};
element.addEventListener('click', (event) => {
  const pressed = event.target.closest('[data-act]:not(select)');
  if (pressed) acts[pressed.dataset.act](pressed.value);
});
element.addEventListener('change', ({ target }) => {
  if (target.matches('.lv-files')) {
    take(target.files);
    target.value = '';
  } else if (target.dataset.act) {
    Object.assign(look, { [target.dataset.act]: target.value, page: 0 });
    show();
  }
});

const visible = () => element.isConnected && element.getClientRects().length > 0;
document.addEventListener('dragover', (event) => {
  if (!visible() || !event.dataTransfer.types.includes('Files')) return;
  event.preventDefault();
  document.documentElement.classList.add('lv-dragging');
});
document.addEventListener('drop', (event) => {
  if (!visible() || !event.dataTransfer.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});
window.addEventListener('beforeunload', (event) => {
  if (now.running) event.preventDefault();
});
