() => {
  // A cell was judged: the panel waits no more, and what came of it is brought into view.
  document.documentElement.dataset.lv = '';
  document.querySelector('.lv-state').textContent = '';
  const first = document.querySelector('.lv-photo') || document.getElementById('lv-output');
  const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth';
  // Once it is drawn: scrolled at the same moment, what stood below it would be seen to jump.
  const far = () => first.getBoundingClientRect().top > innerHeight / 2;
  requestAnimationFrame(() => requestAnimationFrame(() => far() && first.scrollIntoView({ behavior })));
}
