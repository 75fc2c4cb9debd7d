// Every page's own script: the style sheet, and a masthead that knows whether this browser is signed in.
import './css/tokens.css';
import './css/base.css';
import './css/search.css';
import './css/event.css';
import './css/seats.css';
import './css/account.css';
import './css/door.css';
import { call } from './api';
import { signedIn, signInAddress } from './session';

const account = document.querySelector<HTMLAnchorElement>('.masthead .me');
if (account && !signedIn()) {
  account.textContent = 'Sign in';
  const here = location.pathname + location.search;
  const signing = ['/signin', '/register'].includes(location.pathname);
  account.href = signing ? '/signin' : signInAddress(here);
}

/** How many alerts wait to be read; a failure shows none. */
async function count(alerts: HTMLElement): Promise<void> {
  alerts.hidden = false;
  const { unread } = await call<{ unread: number }>('/notification/unread');
  const tally = alerts.querySelector<HTMLElement>('.tally');
  if (!tally || unread === 0) return;
  tally.textContent = unread > 99 ? '99+' : String(unread);
  tally.hidden = false;
}

const alerts = document.querySelector<HTMLElement>('.masthead .bell');
if (alerts && signedIn()) count(alerts).catch(() => undefined);
