// Signing in, registering, changing one's account: forms that speak the JSON contract and say what was wrong beside each field.
import { call, Refusal } from './api';
import { forgetSignedIn, pathHere, rememberSignedIn } from './session';

type Fields = Record<string, string>;

async function signIn({ email, password }: Fields): Promise<void> {
  await call('/login', { method: 'POST', body: { email, password } });
  rememberSignedIn();
}

/** What each form does; the string is what to say when it stays on its page. */
const actions: Record<string, (fields: Fields, form: HTMLFormElement) => Promise<string | undefined>> = {
  signin: async (fields, form) => {
    await signIn(fields);
    location.assign(pathHere(form.dataset.next));
    return undefined;
  },
  register: async (fields, form) => {
    const { name, email, password } = fields;
    await call('/user', { method: 'POST', body: { name, email, password } });
    await signIn(fields);
    location.assign(pathHere(form.dataset.next));
    return undefined;
  },
  profile: async ({ name, email, current_password }, form) => {
    const was = form.querySelector<HTMLInputElement>('[name=email]')?.dataset.was;
    const change = email === was ? { name } : { name, email, current_password };
    await call('/user', { method: 'PUT', body: change });
    return 'Saved.';
  },
  password: async ({ password, current_password }, form) => {
    await call('/user', { method: 'PUT', body: { password, current_password } });
    form.reset();
    return 'Your password is changed.';
  },
  signout: async () => {
    await call('/logout', { method: 'POST' }).catch(() => undefined);
    forgetSignedIn();
    location.assign('/');
    return undefined;
  },
};

function say(form: HTMLFormElement, role: 'alert' | 'status', text: string): void {
  const place = form.querySelector<HTMLElement>(`[role=${role}]`);
  if (!place) return;
  place.textContent = text;
  place.hidden = text === '';
}

function mark(input: HTMLInputElement, message: string): void {
  const place = document.getElementById(`${input.id}-wrong`);
  if (message) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
  if (!place) return;
  place.textContent = message;
  place.hidden = message === '';
}

/** Puts each field's message beside it; what names no field stands above the form. */
function showRefusal(form: HTMLFormElement, refusal: Refusal): void {
  const errors = Array.isArray(refusal.fields.errors)
    ? (refusal.fields.errors as { field: string; message: string }[])
    : [];
  const rest: string[] = [];
  for (const { field, message } of errors) {
    const input = form.querySelector<HTMLInputElement>(`[name="${CSS.escape(field)}"]`);
    if (input) mark(input, message);
    else rest.push(message);
  }
  if (errors.length === 0) rest.push(refusal.message);
  if (rest.length > 0) say(form, 'alert', rest.join(' '));
  form.querySelector<HTMLElement>('[aria-invalid]')?.focus();
}

async function send(form: HTMLFormElement, action: (typeof actions)[string]): Promise<void> {
  const inputs = [...form.querySelectorAll('input')];
  for (const input of inputs) mark(input, input.validationMessage);
  say(form, 'alert', '');
  say(form, 'status', '');
  if (!form.checkValidity()) {
    form.querySelector<HTMLElement>('[aria-invalid]')?.focus();
    return;
  }
  const button = form.querySelector('button');
  button?.setAttribute('disabled', '');
  try {
    const done = await action(Object.fromEntries(new FormData(form)) as Fields, form);
    if (done) say(form, 'status', done);
  } catch (error) {
    if (error instanceof Refusal) showRefusal(form, error);
    else say(form, 'alert', 'The connection broke. Please try again.');
  }
  button?.removeAttribute('disabled');
}

for (const form of document.querySelectorAll<HTMLFormElement>('form[data-sends]')) {
  const action = actions[form.dataset.sends ?? ''];
  if (!action) continue;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void send(form, action);
  });
}
