// Reads the search's highlighting (`<b>`, `<em>` or `<mark>` around escaped text) into plain pieces, so that no HTML is ever injected.

export interface Piece {
  text: string;
  strong: boolean;
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" };

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name: string) => ENTITIES[name] ?? '');
}

export function emphasised(highlight: string): Piece[] {
  const pieces: Piece[] = [];
  let strong = false;
  for (const part of highlight.split(/(<\/?(?:b|em|mark)>)/)) {
    if (/^<\/?(?:b|em|mark)>$/.test(part)) strong = !part.startsWith('</');
    else if (part) pieces.push({ text: unescaped(part), strong });
  }
  return pieces;
}
