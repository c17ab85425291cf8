// Parts of the lesson: one button each. Gradio runs this with `element` (the component) and `trigger`.

const root = document.documentElement;
root.dataset.part ??= element.querySelector('[data-part]').dataset.part;
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-part]');
  if (!button) return;
  root.dataset.part = button.dataset.part;
  for (const one of element.querySelectorAll('[data-part]')) {
    one.setAttribute('aria-pressed', one === button);
  }
  // These two compute nothing before they are asked: a class that comes in by a link asks for nothing.
  if (!['guess', 'class'].includes(button.dataset.part)) trigger('select', { part: button.dataset.part });
});
// Where there are no cells to guess, this part comes first, and shows something only when it is opened.
if (root.dataset.part === 'line') trigger('select', { part: 'line' });
