// Runs once, when the page opens: its language, and the tab and the part of the lesson that the address names
// (?tab=teach&part=twin). The address follows what is opened, so that it can be sent to a class, and Back leads to
// what was open before. It holds these words, the language if one was chosen (lang=de), and nothing of a picture.

const page = document.documentElement;
// Larger, for a projector.
if (new URLSearchParams(location.search).has('projector')) document.body.classList.add('lv-projector');
page.lang = element.querySelector('[lang]').lang;

const wanted = new URLSearchParams(location.search);
const keep = (words, how = 'replaceState') => {
  const address = new URL(location.href);
  for (const [key, word] of Object.entries(words)) {
    if (word) address.searchParams.set(key, word);
    else address.searchParams.delete(key);
  }
  if (address.href !== location.href) history[how](history.state, '', address);
};

const named = (tab) => /^[a-z]+$/.test(tab) && document.querySelector(`[role="tab"]#lv-tab-${tab}-button`);
const part = (key) => /^[a-z]+$/.test(key) && document.querySelector(`.lv-nav [data-part="${key}"]`);
// What is wanted may not be drawn yet, nor listen to a click.
const open = (find, then = () => {}, attempts = 100) => {
  const button = find();
  if (button) {
    button.click();
    then();
  } else if (attempts) setTimeout(open, 50, find, then, attempts - 1);
};
// The code of a round of a class leads to it.
const round = wanted.has('round');
const key = round ? 'class' : wanted.get('part');
open(
  () => named(round ? 'teach' : wanted.get('tab') || ''),
  () => key && open(() => page.dataset.part && part(key)),
);

document.addEventListener('click', (event) => {
  const { target } = event;
  const other = target.closest('.lv-languages a');
  if (other) {
    // The tab that is open stays.
    event.preventDefault();
    keep({ lang: other.hreflang });
    location.reload();
  }
  const link = target.closest('a[data-tab]');
  if (link) {
    // The page stays, with what is on it.
    event.preventDefault();
    keep({ tab: link.dataset.tab, part: '' }, 'pushState');
    named(link.dataset.tab).click();
    window.scrollTo({ top: 0 });
  }
  // What someone opens can be gone back from; what the address opened is there already.
  const how = event.isTrusted ? 'pushState' : 'replaceState';
  const tab = target.closest('[role="tab"]');
  const button = target.closest('.lv-nav [data-part]');
  if (tab) {
    const name = tab.id.replace(/^lv-tab-|-button$/g, '');
    keep({ tab: name, part: name === 'teach' && page.dataset.part }, how);
  }
  if (button) keep({ tab: 'teach', part: button.dataset.part }, how);
});

window.addEventListener('popstate', () => {
  const before = new URLSearchParams(location.search);
  const buttons = [named(before.get('tab') || 'analyse'), part(before.get('part') || '')];
  buttons.filter(Boolean).forEach((button) => button.click());
});
