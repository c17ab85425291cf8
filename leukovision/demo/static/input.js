// Brings one picture to the server, untouched: chosen, dropped, pasted or photographed.
// Gradio runs this with `element` (the component), `trigger` (an event to Python) and `upload`.

const page = document.documentElement;
const find = (selector) => element.querySelector(selector);
const text = (key) => find('.lv-zone').dataset[key];

// What stands on the page belongs to the picture before, so it is dimmed until the answer is there.
const say = (state, words) => {
  page.dataset.lv = state;
  find('.lv-state').textContent = words;
};

const busy = () => say('busy', text(document.querySelector('.lv-loading') ? 'loading' : 'busy'));

const send = async (files, more = {}) => {
  if (!files || !files.length) return;
  if (files.length > 1) return say('note', text('many').replace('{count}', files.length));
  const file = files[0];
  const fill = (words) => words.replace('{name}', file.name);
  busy();
  if (file.size > Number(text('limit'))) return say('failed', fill(text('large')));
  try {
    const { path } = await upload(file);
    trigger('upload', { path, name: file.name, ...more });
  } catch (error) {
    say('failed', fill(text('failed')));
  }
};

const shown = () => element.isConnected && element.getClientRects().length > 0;

element.addEventListener('change', (event) => {
  if (!event.target.matches('.lv-file')) return;
  send(event.target.files);
  event.target.value = '';
});

document.addEventListener('dragover', (event) => {
  if (!shown() || !event.dataTransfer.types.includes('Files')) return;
  event.preventDefault();
  page.classList.add('lv-dragging');
});
document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) page.classList.remove('lv-dragging');
});
document.addEventListener('drop', (event) => {
  page.classList.remove('lv-dragging');
  if (!shown() || !event.dataTransfer.files.length) return;
  event.preventDefault();
  send(event.dataTransfer.files);
});
document.addEventListener('paste', (event) => {
  if (shown() && event.clipboardData) send(event.clipboardData.files);
});

// A row of a batch: its file, or where it lies on the server and its place in there; and which cell of a photo.
document.addEventListener('lv-open', ({ detail: { file, ...row } }) => {
  if (file) return send([file], { cell: row.cell });
  busy();
  trigger('upload', row);
});

const paste = async () => {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith('image/'));
      if (!type) continue;
      const name = 'pasted.' + type.split('/')[1].split('+')[0];
      return send([new File([await item.getType(type)], name, { type })]);
    }
    say('note', text('nopaste'));
  } catch (error) {
    say('note', text('howpaste'));
  }
};

let stream = null;
const close = () => {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
  if (find('.lv-camera').open) find('.lv-camera').close();
};
const photograph = async () => {
  // A phone's own camera focuses better than a page can.
  if (matchMedia('(pointer: coarse)').matches) return find('.lv-phone').click();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } });
  } catch (error) {
    return say('note', text('nocamera'));
  }
  find('video').srcObject = stream;
  find('.lv-camera').showModal();
  find('.lv-camera').addEventListener('close', close, { once: true });
};
const shoot = () => {
  const video = find('video');
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  canvas.toBlob((blob) => send([new File([blob], 'photograph.png', { type: 'image/png' })]));
  close();
};

const acts = {
  choose: () => find('.lv-open').click(),
  paste,
  photograph,
  shoot,
  close,
  clear: () => {
    say('', '');
    trigger('clear', {});
  },
  example: (button) => {
    busy();
    trigger('select', { index: Number(button.dataset.index) });
  },
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]');
  if (button) acts[button.dataset.act](button);
});
