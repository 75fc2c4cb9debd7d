// Where a code is typed in: open while there is a presale, else behind a question, for most people have none.

interface Props {
  code: string;
  presale: boolean;
  change: (code: string) => void;
}

export function CodeField({ code, presale, change }: Props) {
  const field = (
    <div class="field">
      <label for="code">{presale ? 'Presale code' : 'Code'}</label>
      <input
        id="code"
        autocomplete="off"
        autocapitalize="characters"
        maxLength={40}
        value={code}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </div>
  );
  if (!presale) {
    return (
      <details open={code !== ''}>
        <summary>I have a code</summary>
        {field}
      </details>
    );
  }
  return (
    <div class="stack">
      <p class="notice">This is a presale: for members, and for everybody who has a code.</p>
      {field}
    </div>
  );
}
