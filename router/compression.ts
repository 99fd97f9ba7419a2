// Compresses answers, when the client takes it and it is worth it; and reads those of subgraphs that are compressed.
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants, gunzip, gzip, inflate } from 'node:zlib';

export type Encoding = 'br' | 'gzip';

/** Bytes from which compression saves more than it costs: smaller ones fit into one packet anyway. */
const minBytes = 1_400;
/** What is compressed while it is waited for: quick, and still smaller than gzip's best. */
const brotliQuality = 4;

const encoders = {
  br: (body: string | Buffer): Promise<Buffer> =>
    promisify(brotliCompress)(body, {
      params: {
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
      },
    }),
  gzip: (body: string | Buffer): Promise<Buffer> => promisify(gzip)(body),
} as const satisfies Record<Encoding, unknown>;

/** The encoding that the client likes most, ours first where it has no preference; undefined when it wants the body as it is. */
export function encodingOf(acceptEncoding: string | undefined): Encoding | undefined {
  if (acceptEncoding === undefined || acceptEncoding === '') return undefined;
  const qualities = new Map<string, number>();
  for (const part of acceptEncoding.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((one) => one.trim());
    const quality = parameters.find((one) => /^q\s*=/.test(one))?.replace(/^q\s*=\s*/, '');
    const weight = quality === undefined ? 1 : Number(quality);
    if (name !== '') qualities.set(name, weight >= 0 && weight <= 1 ? weight : 0);
  }
  const qualityOf = (name: string): number => qualities.get(name) ?? qualities.get('*') ?? 0;
  // Unless it is named, the body as it is comes last.
  const best = (['br', 'gzip'] as const).reduce((a, b) => (qualityOf(b) > qualityOf(a) ? b : a));
  return qualityOf(best) > 0 && qualityOf(best) >= (qualities.get('identity') ?? 0) ? best : undefined;
}

/** Undefined when the body goes out as it is. */
export function compressed(
  body: string,
  acceptEncoding: string | undefined,
): Promise<{ readonly encoding: Encoding; readonly bytes: Buffer }> | undefined {
  const encoding = isWorthIt(body) ? encodingOf(acceptEncoding) : undefined;
  return encoding && encoders[encoding](body).then((bytes) => ({ encoding, bytes }));
}

/** Whether what the client accepts decides how this body is sent. */
export const isWorthIt = (body: string): boolean => body.length >= minBytes;

const decoders: ReadonlyMap<string, (bytes: Buffer, limits: { readonly maxOutputLength: number }) => Promise<Buffer>> =
  new Map([
    ['br', promisify(brotliDecompress)],
    ['gzip', promisify(gunzip)],
    ['deflate', promisify(inflate)],
  ]);

/** @throws Error when the encoding is another one, the bytes are not of it, or there are more than `maxBytes` of them */
export async function decompressed(bytes: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  const decode = decoders.get(encoding.toLowerCase());
  if (decode === undefined) throw new Error(`the encoding ${encoding} is not known`);
  return decode(bytes, { maxOutputLength: maxBytes });
}
