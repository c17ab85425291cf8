// The server's answer to what was done in a round, handed on to `class.js`.

watch('value', () => {
  if (props.value) document.dispatchEvent(new CustomEvent('lv-round', { detail: JSON.parse(props.value) }));
});
