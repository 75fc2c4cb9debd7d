// Every page's own script: the style sheet, and a masthead that knows whether this browser is signed in.
import './css/tokens.css';
import './css/base.css';
import './css/search.css';
import './css/event.css';
import './css/seats.css';
import './css/account.css';
import { signedIn, signInAddress } from './session';

const account = document.querySelector<HTMLAnchorElement>('.masthead .me');
if (account && !signedIn()) {
  account.textContent = 'Sign in';
  const here = location.pathname + location.search;
  const signing = ['/signin', '/register'].includes(location.pathname);
  account.href = signing ? '/signin' : signInAddress(here);
}
