// The concert page's island: the booth, in place of the sentence that stands there without script.
import { render } from 'preact';
import { Booth, type EventFacts } from './seats/Booth';

const facts = document.getElementById('event-facts')?.textContent;
const place = document.getElementById('booth');
if (facts && place) {
  place.replaceChildren();
  render(<Booth facts={JSON.parse(facts) as EventFacts} />, place);
}
