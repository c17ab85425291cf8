// How far a map can be trusted takes 28 passes of the networks, the answer one: it is asked for when the place
// where it stands is about to be seen, and once more, a minute later at the earliest, when nothing came.

const AGAIN = 60000;
let asked = -AGAIN;
const near = new IntersectionObserver((entries) => {
  if (!entries.at(-1).isIntersecting || performance.now() - asked < AGAIN) return;
  asked = performance.now();
  trigger('select', {});
}, { rootMargin: '200px' });
watch('value', () => {
  near.disconnect();
  const awaited = element.querySelector('.lv-awaited');
  asked = -AGAIN;
  if (awaited) near.observe(awaited);
});
