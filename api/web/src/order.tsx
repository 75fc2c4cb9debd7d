// The order page's island: the clock while one has to pay, a look now and then whether the payment came, another attempt, other seats.
import { render } from 'preact';
import { attemptKey, call } from './api';
import { Exchange } from './Exchange';
import { buy, sentence } from './seats/booking';
import { Clock } from './seats/Clock';

const LOOK_MS = 1000;
const LOOK_MS_MAX = 8000;

interface Order {
  state: string;
  attempts: { state: string }[];
}

const page = document.getElementById('order');
const {
  order = '',
  event = '',
  reserve = '',
  state = '',
  attempt = '',
  expires = '',
  ttl = '600',
} = page?.dataset ?? {};

/** The page is the server's: whenever the order moved on, it is asked for afresh. */
async function look(wait_ms: number): Promise<void> {
  const now = await call<Order>(`/order/${order}`).catch(() => undefined);
  const last = now?.attempts.at(-1)?.state ?? '';
  if (now && (now.state !== state || last !== attempt)) {
    location.reload();
    return;
  }
  setTimeout(() => void look(Math.min(wait_ms * 1.3, LOOK_MS_MAX)), wait_ms);
}

function start(): void {
  const place = document.getElementById('clock');
  if (place) {
    render(<Clock expiresAt={expires} lifetimeS={Number(ttl)} over={() => void look(LOOK_MS)} />, place);
  }
  // A declined attempt waits for the buyer; everything else on the way to tickets moves by itself.
  const waiting = (state === 'pending' && attempt !== 'declined') || state === 'authorized' || state === 'refunding';
  if (waiting) void look(LOOK_MS);

  const again = document.getElementById('again');
  const failed = document.getElementById('failed');
  const key = attemptKey();
  const onPress = (button: HTMLElement | null, act: () => Promise<void>) =>
    button?.addEventListener('click', async () => {
      button.setAttribute('disabled', '');
      try {
        await act();
      } catch (error) {
        if (failed) {
          failed.hidden = false;
          failed.textContent = sentence(error);
        }
      } finally {
        button.removeAttribute('disabled');
      }
    });
  onPress(again, async () => {
    const checkout = await buy(event, reserve || undefined, key);
    location.assign(checkout.portal_url ?? `/orders/${checkout.order_id}`);
  });
  const exchange = document.getElementById('exchange');
  if (exchange) render(<Exchange id={order} />, exchange);
  onPress(document.getElementById('refund'), async () => {
    if (!confirm('Give all tickets of this order back? Their codes stop working at once.')) return;
    await call(`/order/${order}/refund`, { method: 'POST' });
    location.reload();
  });
}

if (page) start();
