// Keeps the cell that is shown beside the next, or puts it away.

element.addEventListener('click', ({ target }) => {
  if (target.dataset.act) trigger('select', { act: target.dataset.act });
});
