// Many cells: sends files a handful at a time, holds what comes back, shows and sorts it. Nothing of a batch
// is kept anywhere else. Gradio runs this with `element` (the component).

const root = element.querySelector('.lv-batch');
const find = (selector) => root.querySelector(selector);
const words = JSON.parse(root.dataset.words);
// Of each decision, in the order in which they are counted, its side.
const sides = JSON.parse(root.dataset.sides);
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
const fresh = () => ({ items: [], done: 0, rows: [], left: [], running: false, said: '', seconds: 0, judged: 0, told: 0, work: Promise.resolve(), telling: Promise.resolve() });
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
      files.forEach((rows, k) => rows.forEach((row, cell) => {
        own.rows.push({ ...row, place: own.rows.length, item: own.items[own.done + k], cell });
      }));
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
  own.said = failed || (whole ? [fill(words.done, { count: own.done }), ...own.left].join(' ') : words.stopped);
  say(own.said);
  show();
};

// One after the other: who goes on before the last handful is back goes on with what is there then.
const run = (own) => {
  own.running = true;
  own.said = '';
  show();
  own.work = own.work.then(() => work(own));
};
