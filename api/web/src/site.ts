// Every page's own script: the style sheet, and a masthead that knows whether this browser is signed in.
import './css/tokens.css';
import './css/base.css';
import './css/search.css';
import './css/event.css';
import './css/seats.css';
import './css/account.css';
import { signedIn } from './session';

for (const link of document.querySelectorAll<HTMLAnchorElement>('[data-when]')) {
  link.hidden = (link.dataset.when === 'signed-in') !== signedIn();
}
