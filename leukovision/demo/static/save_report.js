// Hands a report that the server made to the browser, which keeps it as a file.

watch('value', () => {
  if (!props.value) return;
  const { said = '', name, type, content } = JSON.parse(props.value);
  document.querySelector('.lv-kept p').textContent = said;
  if (!content) return;
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  Object.assign(document.createElement('a'), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  props.value = '';
});
