// Reads QR codes off the camera where the browser can (BarcodeDetector); elsewhere codes are typed, pasted or come from a scanner.

interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}

type DetectorMaker = new (options: { formats: string[] }) => Detector;

const LOOK_MS = 150;
/** The same code in sight is one code for so long. */
const SAME_MS = 5000;

function maker(): DetectorMaker | undefined {
  return (globalThis as unknown as { BarcodeDetector?: DetectorMaker }).BarcodeDetector;
}

export function canScan(): boolean {
  return maker() !== undefined && 'mediaDevices' in navigator;
}

/** Watches until it is told to stop; rejects when there is no camera, or it is not allowed. */
export async function watch(video: HTMLVideoElement, seen: (code: string) => void): Promise<() => void> {
  const Made = maker();
  if (!Made) throw new Error('no detector');
  const detector = new Made({ formats: ['qr_code'] });
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  video.srcObject = stream;
  await video.play();
  let last = { code: '', at: 0 };
  const timer = setInterval(async () => {
    const [found] = await detector.detect(video).catch(() => []);
    if (!found) return;
    const again = found.rawValue === last.code && performance.now() - last.at < SAME_MS;
    last = { code: found.rawValue, at: performance.now() };
    if (!again) seen(found.rawValue);
  }, LOOK_MS);
  return () => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
}
