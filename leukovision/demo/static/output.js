// What a person chooses of how the maps are shown outlives the cell. Only another method asks the server:
// the rest is done by the browser alone.

const root = document.documentElement;
const chosen = { opacity: null, view: 'all', raw: false };
const find = (selector) => element.querySelector(selector);

const apply = () => {
  const slider = find('.lv-opacity');
  if (!slider) return;
  chosen.opacity ??= slider.value;
  slider.value = chosen.opacity;
  slider.setAttribute('aria-valuetext', chosen.opacity + ' %');
  root.style.setProperty('--lv-opacity', chosen.opacity / 100);
  find('.lv-view').value = chosen.view;
  find('.lv-raw').checked = chosen.raw;
  find('.lv-maps').dataset.view = chosen.view;
  find('.lv-maps').classList.toggle('lv-raw-on', chosen.raw);
};

const draw = (method) => {
  root.dataset.lv = 'busy';
  document.querySelector('.lv-state').textContent = document.querySelector('.lv-zone').dataset.drawing;
  trigger('select', { method });
};

element.addEventListener('click', ({ target }) => target.matches('.lv-unfold') && draw(target.value));
element.addEventListener('input', ({ target }) => {
  if (target.matches('.lv-opacity')) chosen.opacity = target.value;
  if (target.matches('.lv-view')) chosen.view = target.value;
  if (target.matches('.lv-raw')) chosen.raw = target.checked;
  if (target.matches('.lv-method')) draw(target.value);
  apply();
});
watch('value', apply);
