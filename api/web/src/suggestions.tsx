// What the search field suggests: a combobox by the ARIA pattern, fed by GET /event/suggest.
import { useEffect, useRef, useState } from 'preact/hooks';
import { emphasised } from './marked';

interface Suggestion {
  id?: string | null;
  text: string;
  highlight?: string | null;
}

interface Answer {
  events: Suggestion[];
  artists: Suggestion[];
  venues: Suggestion[];
  cities: Suggestion[];
}

interface Option extends Suggestion {
  kind: keyof Answer;
}

const KINDS: [keyof Answer, string][] = [
  ['events', 'Concert'],
  ['artists', 'Artist'],
  ['venues', 'Hall'],
  ['cities', 'City'],
];
const EACH_MAX = 4;
const PAUSE_MS = 120;
const LETTERS_MIN = 2;

/** The suggestions in the order they are shown. */
export function options(answer: Answer): Option[] {
  return KINDS.flatMap(([kind]) => (answer[kind] ?? []).slice(0, EACH_MAX).map((found) => ({ ...found, kind })));
}

interface Props {
  field: HTMLInputElement;
  choose: () => void;
}

export function Suggestions({ field, choose }: Props) {
  const [found, setFound] = useState<Option[]>([]);
  const [at, setAt] = useState(-1);
  const state = useRef({ found, at });
  state.current = { found, at };

  const close = () => {
    setFound([]);
    setAt(-1);
  };
  const take = (option: Option) => {
    close();
    if (option.kind === 'events' && option.id) {
      location.assign(`/events/${option.id}`);
      return;
    }
    field.value = option.text;
    choose();
  };

  useEffect(() => {
    let pause: ReturnType<typeof setTimeout> | undefined;
    let asking: AbortController | undefined;
    const typed = () => {
      clearTimeout(pause);
      asking?.abort();
      const words = field.value.trim();
      if (words.length < LETTERS_MIN) return close();
      pause = setTimeout(async () => {
        asking = new AbortController();
        const answer = await fetch(`/event/suggest?q=${encodeURIComponent(words)}`, { signal: asking.signal })
          .then((response) => (response.ok ? (response.json() as Promise<Answer>) : undefined))
          .catch(() => undefined);
        if (answer && document.activeElement === field) {
          setFound(options(answer));
          setAt(-1);
        }
      }, PAUSE_MS);
    };
    const enter = (option: Option | undefined): boolean => {
      if (option) {
        take(option);
        return true;
      }
      // The form is about to be sent as it stands: no suggestion may open over its answer.
      clearTimeout(pause);
      asking?.abort();
      close();
      return false;
    };
    const key = (event: KeyboardEvent) => {
      const { found, at } = state.current;
      const count = found.length;
      if (count === 0) return;
      const moves: Record<string, () => void> = {
        ArrowDown: () => setAt((at + 1) % count),
        ArrowUp: () => setAt((at <= 0 ? count : at) - 1),
        Escape: close,
      };
      const move = moves[event.key];
      move?.();
      if (move || (event.key === 'Enter' && enter(found[at]))) event.preventDefault();
    };
    field.addEventListener('input', typed);
    field.addEventListener('keydown', key);
    field.addEventListener('blur', close);
    return () => {
      field.removeEventListener('input', typed);
      field.removeEventListener('keydown', key);
      field.removeEventListener('blur', close);
    };
  }, [field]);

  useEffect(() => {
    field.setAttribute('role', 'combobox');
    field.setAttribute('aria-autocomplete', 'list');
    field.setAttribute('aria-controls', 'suggestions');
    field.setAttribute('aria-expanded', String(found.length > 0));
    if (at >= 0) field.setAttribute('aria-activedescendant', `suggestion-${at}`);
    else field.removeAttribute('aria-activedescendant');
    document.getElementById(`suggestion-${at}`)?.scrollIntoView({ block: 'nearest' });
  }, [field, found, at]);

  return (
    <div class="suggestions" id="suggestions" role="listbox" aria-label="Suggestions" hidden={found.length === 0}>
      {found.map((option, place) => (
        // biome-ignore lint/a11y/useFocusableInteractive: focus stays in the field; the active option is named there
        <div
          key={`${option.kind}-${option.id ?? option.text}`}
          id={`suggestion-${place}`}
          class="option"
          role="option"
          aria-selected={place === at}
          onMouseDown={(event) => {
            event.preventDefault();
            take(option);
          }}
        >
          <span>
            {emphasised(option.highlight ?? option.text).map(({ text, strong }) =>
              strong ? <mark>{text}</mark> : text,
            )}
          </span>
          <span class="muted">{KINDS.find(([kind]) => kind === option.kind)?.[1]}</span>
        </div>
      ))}
    </div>
  );
}
