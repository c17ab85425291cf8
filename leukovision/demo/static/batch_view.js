// The second half of batch.js, in whose scope it runs: sorts what there is, and shows it as a table or a montage.

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
  p_all: ({ row }) => (row.in_domain === false ? null : (row.p_all ?? null)),
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
const decided = ({ row }) => (row.decision ? words['kind.' + row.decision] : words['filters.error']);
// Of a cell unlike the training data no figure means anything.
const chance = ({ row }) => (row.p_all == null ? '' : row.in_domain === false ? '–' : figure(row.p_all, 2));
const yes_no = ({ row }) => (row.in_domain == null ? '' : row.in_domain ? words.yes : words.no);

// Sentences begin with the name of the file that they are about; in its row it stands already.
const remark = ({ said = '', row: { file } }) => (said.startsWith(`${file}: `) ? said.slice(file.length + 2) : said);

// What opens a cell on Analyse; of a file that could not be read there is nothing to see.
const opener = (one, shown) => {
  if (!one.thumbnail) return shown;
  const made = make('button', { type: 'button', className: 'lv-opener', title: words.open, value: one.place }, shown);
  made.dataset.act = 'open';
  return made;
};

const line = (one) => {
  const [own, of] = one.agree;
  const kind = sides[one.row.decision] || 'error';
  return make('tr', { className: one.thumbnail ? 'lv-opens' : '' },
    make('td', {}, thumbnail(one, '')),
    make('td', { className: 'lv-' + kind }, make('strong', {}, decided(one))),
    make('td', {}, chance(one)),
    make('td', { className: disagree(one) ? 'lv-apart' : '' }, of ? fill(words.agree, { own, of }) : ''),
    make('td', {}, yes_no(one)),
    make('th', { scope: 'row' }, opener(one, one.row.file), ...(one.said ? [make('small', {}, remark(one))] : [])),
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
    const kind = 'lv-' + sides[one.row.decision];
    return make('li', { title }, opener(one, thumbnail(one, title)), make('span', { className: kind, ariaHidden: 'true' }, values.p));
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
  const decisions = Object.entries(sides).map(([name, side]) => {
    return [words['kind.' + name], 'lv-' + side, count(({ row }) => row.decision === name)];
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

// A cell with its maps: Analyse gets the bytes once more, from the visitor's disk. Only a zip file lies on the
// server already, for as long as it does.

const open_cell = async ({ item: { name, file, zip, place }, cell }) => {
  try {
    await (file || zip.file).slice(0, 1).arrayBuffer();
  } catch (error) {
    return say(fill(words.gone, { name }));
  }
  try {
    if (zip && (await call('batch_open', [zip.path, zip.file.name])).lost) [zip.path] = await upload_all([zip.file]);
  } catch (error) {
    return say(error.sentence || words.broken);
  }
  const tab = document.getElementById('lv-tab-analyse-button');
  tab.click();
  tab.focus();
  document.dispatchEvent(new CustomEvent('lv-open', { detail: { name, file, path: zip?.path, place, cell } }));
};

// Keeping it

const keep = async (kind) => {
  say(words.making);
  try {
    const thumbnails = ['pdf', 'fhir'].includes(kind) ? now.rows.map((one) => one.thumbnail) : [];
    const made = await call('batch_file', [kind, now.rows.map((one) => one.row), thumbnails]);
    if (made.error) return say(made.error);
    const bytes = Uint8Array.from(atob(made.content), (one) => one.charCodeAt(0));
    const link = make('a', {
      href: URL.createObjectURL(new Blob([bytes], { type: made.type })), download: `leukovision.${kind}${kind === 'fhir' ? '.json' : ''}`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    say(now.said);
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
  open: (value) => open_cell(now.rows[value]),
  page: (value) => ((look.page += Number(value)), show()),
  keep,
};
element.addEventListener('click', (event) => {
  const pressed = event.target.closest('[data-act]:not(select)') || event.target.closest('.lv-opens')?.querySelector('.lv-opener');
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
