// That a guess was heard: the networks may be busy with others.
(game) => {
  document.querySelector('#lv-guess-out .lv-computing')?.removeAttribute('hidden');
  return game;
}
