// Where the pointer goes while it is down, as parts of the picture's side; drawn at once, sent when it is up.

let points = null;
const add = (event) => {
  const image = element.querySelector('.lv-canvas img');
  const box = image.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
  if (x < 0 || y < 0 || x > 1 || y > 1) return;
  points.push([x, y]);
  const dot = document.createElement('i');
  dot.className = 'lv-paint';
  dot.style.left = 100 * x + '%';
  dot.style.top = 100 * y * image.clientHeight / image.parentElement.clientHeight + '%';
  image.parentElement.append(dot);
};
element.addEventListener('pointerdown', (event) => {
  if (!event.target.matches('.lv-canvas img')) return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  points = [];
  add(event);
});
element.addEventListener('pointermove', (event) => points && add(event));
const end = () => {
  if (points && points.length) trigger('select', { points });
  points = null;
};
element.addEventListener('pointerup', end);
element.addEventListener('pointercancel', end);
