// The canvas with its tip and zoom buttons; the drawing itself is Stage's.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Scene } from './paint';
import type { Plan } from './plan';
import { Stage, type Target } from './stage';

interface Props {
  plan: Plan;
  scene: Omit<Scene, 'cursor' | 'hover'>;
  /** Bring this seat into sight; a new object each time it is asked for. */
  look: { seat: number } | undefined;
  choose: (target: Target) => void;
  /** Title and text about a target. */
  tell: (target: Target) => [string, string];
}

interface Tip {
  text: [string, string];
  x: number;
  y: number;
}

export function MapView({ plan, scene, look, choose, tell }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<Stage | undefined>(undefined);
  const calls = useRef({ choose, tell });
  calls.current = { choose, tell };
  const [tip, setTip] = useState<Tip>();
  const [spoken, setSpoken] = useState('');

  useEffect(() => {
    if (!canvas.current) return;
    const made = new Stage(
      canvas.current,
      plan,
      { ...scene, cursor: undefined, hover: undefined },
      {
        choose: (target) => {
          calls.current.choose(target);
          setTip(undefined);
        },
        point: (target, x, y) => setTip(target && { text: calls.current.tell(target), x, y }),
      },
    );
    stage.current = made;
    return () => made.stop();
  }, [plan]);

  useEffect(() => stage.current?.show(scene), [scene]);
  useEffect(() => {
    if (look) stage.current?.showSeat(look.seat, true);
  }, [look]);

  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!stage.current?.key(event.key, event.shiftKey)) return;
    event.preventDefault();
  };
  useEffect(() => {
    if (tip && document.activeElement === canvas.current) setSpoken(tip.text.join(', '));
  }, [tip]);

  const width = canvas.current?.clientWidth ?? 0;
  return (
    <div class="map">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the map answers keys of its own, as its label says */}
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label={`Seat map of ${plan.name}. Arrow keys move from seat to seat, Enter chooses, plus and minus zoom, 0 shows the whole house.`}
        onKeyDown={key}
        onBlur={() => {
          setTip(undefined);
          stage.current?.show({ cursor: undefined });
        }}
      />
      {tip && (
        <div
          class="tip"
          style={{
            transform: `translate(clamp(4px, calc(${Math.round(tip.x)}px - 50%), calc(${width - 4}px - 100%)), ${
              tip.y > 90 ? `calc(${Math.round(tip.y)}px - 100% - 16px)` : `${Math.round(tip.y) + 18}px`
            })`,
          }}
          aria-hidden="true"
        >
          <strong>{tip.text[0]}</strong>
          {tip.text[1]}
        </div>
      )}
      <p class="unseen" aria-live="assertive">
        {spoken}
      </p>
      <div class="zoom">
        <button type="button" aria-label="Zoom in" onClick={() => stage.current?.zoomBy(1.6)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => stage.current?.zoomBy(1 / 1.6)}>
          −
        </button>
        <button type="button" aria-label="Show the whole house" onClick={() => stage.current?.showAll()}>
          ⤢
        </button>
      </div>
    </div>
  );
}
