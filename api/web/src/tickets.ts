// The tickets page: a ticket is passed on to somebody else.
import { call, Refusal } from './api';

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement && form.dataset.passOn)) return;
  event.preventDefault();
  const button = form.querySelector('button');
  const email = String(new FormData(form).get('email') ?? '');
  button?.setAttribute('disabled', '');
  try {
    await call(`/ticket/${form.dataset.passOn}/transfer`, { method: 'POST', body: { email } });
    location.reload();
  } catch (error) {
    button?.removeAttribute('disabled');
    const notice = form.querySelector<HTMLElement>('[role=alert]');
    if (!notice) return;
    notice.textContent = why(error);
    notice.hidden = false;
  }
});

function why(error: unknown): string {
  if (!(error instanceof Refusal)) return 'The connection broke. Please try again.';
  if (error.kind === 'invalid') return 'Nobody else has an account with this email here. Ask them to register first.';
  if (error.kind === 'already-used') return 'This ticket has let somebody in already.';
  return error.message;
}
