// Asks for a report on what stands on the page.

let number = 0;
element.addEventListener('click', ({ target }) => {
  const button = target.closest('button');
  if (!button) return;
  const state = element.querySelector('p');
  state.textContent = state.dataset.making;
  trigger('select', { kind: button.value, number: number++ });
});
