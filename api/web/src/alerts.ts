// The alerts page: what was shown is read, a saved search is removed or its mail turned off.
import { call } from './api';

const page = document.querySelector<HTMLElement>('[data-newest]');
if (page && document.querySelector('[data-unread]')) {
  call('/notification/read', { method: 'POST', body: { until: Number(page.dataset.newest) } }).catch(trouble);
}

function trouble(): void {
  const place = document.getElementById('trouble');
  if (!place) return;
  place.textContent = 'That did not work. Please try again.';
  place.hidden = false;
}

function searchOf(element: Element): HTMLElement | null {
  return element.closest<HTMLElement>('[data-search]');
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('[data-remove]') : null;
  const search = button && searchOf(button);
  if (!search) return;
  call(`/saved-search/${search.dataset.search}`, { method: 'DELETE' }).then(() => search.remove(), trouble);
});

document.addEventListener('change', (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement && 'mails' in box.dataset)) return;
  const path = `/saved-search/${searchOf(box)?.dataset.search}`;
  call(path, { method: 'PUT', body: { mails: box.checked } }).catch(() => {
    box.checked = !box.checked;
    trouble();
  });
});
