// The search page's island: suggestions while one types, and answers without a page load.
//
// The server renders every answer; this asks for the same page and takes over its results and filters, so that what a script
// shows and what a crawler reads cannot differ. Without script the form works as it stands.
import { render } from 'preact';
import { save } from './save';
import { Suggestions } from './suggestions';

const form = document.querySelector<HTMLFormElement>('#finder');
const field = document.querySelector<HTMLInputElement>('#q');
const TYPING_PAUSE_MS = 250;

let asking: AbortController | undefined;

/** The address of the form's present state, without the empty fields. */
function address(of: HTMLFormElement): string {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(of)) {
    if (typeof value === 'string' && value.trim() !== '') query.append(name, value);
  }
  const text = query.toString();
  return text ? `/?${text}` : '/';
}

async function pageAt(where: string): Promise<Document | undefined> {
  asking?.abort();
  asking = new AbortController();
  const response = await fetch(where, { headers: { accept: 'text/html' }, signal: asking.signal });
  if (!response.ok) return undefined;
  return new DOMParser().parseFromString(await response.text(), 'text/html');
}

/** Puts the other page's element in place of ours, and focus back to where it was. */
function take(page: Document, id: string): void {
  const ours = document.getElementById(id);
  const theirs = page.getElementById(id);
  if (!ours || !theirs) return;
  const focused = document.activeElement instanceof HTMLElement ? nameOf(document.activeElement) : undefined;
  const open = ours.querySelector('details')?.open;
  ours.replaceWith(theirs);
  const details = theirs.querySelector('details');
  if (details && open !== undefined) details.open = open;
  if (focused) document.querySelector<HTMLElement>(focused)?.focus({ preventScroll: true });
}

function nameOf(element: HTMLElement): string | undefined {
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element instanceof HTMLInputElement) {
    return `input[name="${CSS.escape(element.name)}"][value="${CSS.escape(element.value)}"]`;
  }
  return undefined;
}

async function show(where: string, keep: 'push' | 'replace' | 'stay'): Promise<void> {
  document.getElementById('results')?.setAttribute('aria-busy', 'true');
  try {
    const page = await pageAt(where);
    if (!page) {
      location.assign(where);
      return;
    }
    if (keep === 'push') history.pushState(null, '', where);
    if (keep === 'replace') history.replaceState(null, '', where);
    document.title = page.title;
    take(page, 'filters');
    take(page, 'results');
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'AbortError')) location.assign(where);
  }
}

/** Appends the next page's concerts under the ones shown. */
async function more(link: HTMLAnchorElement): Promise<void> {
  link.setAttribute('aria-disabled', 'true');
  const page = await pageAt(link.href).catch(() => undefined);
  const list = document.getElementById('concerts');
  const found = page?.querySelectorAll('#concerts > li');
  if (!list || !found?.length) {
    location.assign(link.href);
    return;
  }
  list.append(...found);
  const next = page?.querySelector('#more');
  if (next) link.replaceWith(next);
  else link.parentElement?.remove();
  found[0]?.querySelector('a')?.focus({ preventScroll: true });
}

function start(form: HTMLFormElement, field: HTMLInputElement): void {
  let typing: ReturnType<typeof setTimeout> | undefined;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(typing);
    void show(address(form), 'push');
  });
  form.addEventListener('change', (event) => {
    if (event.target !== field) void show(address(form), 'push');
  });
  field.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => void show(address(form), 'replace'), TYPING_PAUSE_MS);
  });
  form.addEventListener('click', (event) => {
    const saving = event.target instanceof Element && event.target.closest<HTMLButtonElement>('button[data-query]');
    if (saving) void save(saving);
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.id === 'more') {
      event.preventDefault();
      void more(link);
    } else if ('swap' in link.dataset) {
      event.preventDefault();
      field.value = new URL(link.href).searchParams.get('q') ?? '';
      void show(link.href, 'push');
    }
  });
  addEventListener('popstate', () => {
    field.value = new URLSearchParams(location.search).get('q') ?? '';
    void show(location.pathname + location.search, 'stay');
  });
  addEventListener('keydown', (event) => {
    const elsewhere = event.target instanceof HTMLElement && event.target.matches('input, select, textarea');
    if (event.key === '/' && !elsewhere) {
      event.preventDefault();
      field.focus();
    }
  });
  const place = document.createElement('div');
  place.className = 'unboxed';
  form.querySelector('#searchbar')?.append(place);
  const choose = () => {
    clearTimeout(typing);
    void show(address(form), 'push');
  };
  render(<Suggestions field={field} choose={choose} />, place);
}

if (form && field) start(form, field);
