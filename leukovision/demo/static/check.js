// How far a map can be trusted takes the networks thirty times as long as the answer: it is asked for when the
// place where it stands is about to be seen.

const awaited = () => element.querySelector('.lv-awaited');
const near = new IntersectionObserver(([{ isIntersecting }]) => {
  if (!isIntersecting) return;
  near.disconnect();
  trigger('select', {});
}, { rootMargin: '200px' });
watch('value', () => {
  near.disconnect();
  if (awaited()) near.observe(awaited());
});
