// "Save this search": who is not signed in is led there and back; who is hears of new concerts from now on.
import { call, Refusal } from './api';
import { signedIn, signInAddress } from './session';

/** What to say of a search that was not saved. */
function refused(error: unknown): string {
  if (error instanceof Refusal && error.kind === 'already-saved') return 'You saved this search already.';
  if (error instanceof Refusal && error.kind === 'limit-reached')
    return 'You have as many saved searches as there can be.';
  return 'That did not work. Please try again.';
}

export async function save(button: HTMLButtonElement): Promise<void> {
  const back = location.pathname + location.search;
  if (!signedIn()) {
    location.assign(signInAddress(back));
    return;
  }
  const said = document.createElement('span');
  said.setAttribute('role', 'status');
  button.disabled = true;
  try {
    const { name, query } = button.dataset;
    await call('/saved-search', { method: 'POST', body: { name, query } });
    said.innerHTML = 'Saved. What is new will be under <a href="/notifications">Alerts</a>.';
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) {
      location.assign(signInAddress(back));
      return;
    }
    said.textContent = refused(error);
  }
  button.replaceWith(said);
}
