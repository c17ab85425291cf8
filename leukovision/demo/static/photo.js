// The cells of a photo: one is looked at by clicking it; its outline is drawn anew with a box or a brush.

const find = (selector) => element.querySelector(selector);
let tool = '';
let drawn = null;
let held = null;

const chosen = () => Number(find('.lv-photo').dataset.chosen);
const act = (what, index, points = []) => {
  const { act: own, index: of } = document.activeElement.dataset;
  held = {
    focus: own && element.contains(document.activeElement) && `button[data-act='${own}']` + (of ? `[data-index='${of}']` : ''),
    scrolled: find('.lv-strip').scrollTop,
  };
  document.documentElement.dataset.lv = 'busy';
  document.querySelector('.lv-state').textContent = document.querySelector('.lv-zone').dataset.busy;
  trigger('select', { act: what, index, points });
};

const take = (name, by_keyboard = false) => {
  tool = tool === name ? '' : name;
  for (const one of element.querySelectorAll('[data-tool]')) {
    one.setAttribute('aria-pressed', one.dataset.tool === tool);
  }
  find('.lv-field').classList.toggle('lv-drawing', tool !== '');
  const hint = tool ? find(`[data-tool='${tool}']`).dataset.hint : '';
  find('.lv-hint').textContent = tool && by_keyboard ? `${hint} ${find('.lv-hint').dataset.pointer}` : hint;
};

element.addEventListener('click', (event) => {
  const taken = event.target.closest('[data-tool]');
  if (taken) return take(taken.dataset.tool, event.detail === 0);
  const target = event.target.closest('[data-act]');
  if (!target || tool && target.closest('svg')) return;
  act(target.dataset.act, Number(target.dataset.index ?? chosen()));
});

const place = (event) => {
  const box = find('.lv-field').getBoundingClientRect();
  const part = (value) => Math.min(1, Math.max(0, value));
  return [part((event.clientX - box.left) / box.width), part((event.clientY - box.top) / box.height)];
};

// What is being drawn is shown at once, in the photo's own px.
const sketch = () => {
  find('.lv-sketch')?.remove();
  if (!drawn) return;
  const svg = find('.lv-field svg');
  const { width, height } = svg.viewBox.baseVal;
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  const [[x0, y0], [x1, y1]] = [drawn[0], drawn.at(-1)];
  const path = tool === 'box' || tool === 'new' ? [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]] : drawn;
  line.setAttribute('points', path.map(([x, y]) => `${x * width},${y * height}`).join(' '));
  line.setAttribute('class', 'lv-sketch lv-sketch-' + tool);
  const across = find('.lv-chosen polygon')?.getBBox();
  if (across) line.style.setProperty('--lv-brush', 0.16 * Math.max(across.width, across.height));
  svg.append(line);
};

element.addEventListener('pointerdown', (event) => {
  if (!tool || !event.target.closest('.lv-field')) return;
  event.preventDefault();
  find('.lv-field').setPointerCapture(event.pointerId);
  drawn = [place(event)];
  sketch();
});
element.addEventListener('pointermove', (event) => {
  if (!drawn) return;
  drawn.push(place(event));
  sketch();
});
element.addEventListener('pointerup', () => {
  if (!drawn) return;
  const points = tool === 'box' || tool === 'new' ? [drawn[0], drawn.at(-1)] : drawn;
  act(tool, chosen(), points);
  drawn = null;
});
element.addEventListener('pointercancel', () => {
  drawn = null;
  sketch();
});
// After an answer everything is new; the tool stays in hand, because an outline is rarely right at once, and
// whoever works it by keyboard stays where they were.
watch('value', () => {
  const kept = tool;
  tool = '';
  if (!find('.lv-photo')) return;
  if (held) find('.lv-strip').scrollTop = held.scrolled;
  if (held?.focus) find(held.focus)?.focus({ preventScroll: true });
  held = null;
  if (!kept) return;
  const fault = find('.lv-hint').textContent;
  take(kept);
  if (fault) find('.lv-hint').textContent = fault;
});
