/**
 * Opens gzip, deflate, br and zstd within limits, so that a small answer cannot become a large one in memory (E9).
 *
 * For checks that must see an answer; what goes on to the app is the bytes as they came. Stops at the first byte over a
 * limit, without producing the rest.
 */
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib'
import type { Transform } from 'node:stream'

/** How much may come out. */
export interface DecompressLimits {
  /** Most bytes of output. */
  readonly size: number
  /** Most bytes of output for one byte of input. */
  readonly ratio: number
}

/** The plain bytes, or why there are none. */
export type Decompressed =
  | { readonly kind: 'plain'; readonly body: Buffer }
  | {
      readonly kind: 'refused'
      readonly reason:
        'decompressed-size' | 'decompression-ratio' | 'encoding-unknown' | 'encoding-broken'
      readonly detail: string
    }

/** Below this output the ratio says nothing: ten thousand spaces are no bomb. */
const ratioFloor = 64 * 1024

/** More layers than two have no honest use. */
const mostLayers = 2

const openers: Readonly<Record<string, (first: number) => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
  // RFC 9110 §8.4.1.2: "deflate" is zlib's format; some servers send it bare, which its first byte tells.
  deflate: (first) => ((first & 0x0f) === 8 ? createInflate() : createInflateRaw()),
}

/** The layers of a `content-encoding` value, outermost last; undefined when one of them is unknown. */
export const encodingLayers = (contentEncoding: string): readonly string[] | undefined => {
  const layers = contentEncoding
    .toLowerCase()
    .split(',')
    .map((layer) => layer.trim())
    .filter((layer) => layer !== '' && layer !== 'identity')
  return layers.length <= mostLayers && layers.every((layer) => Object.hasOwn(openers, layer))
    ? layers
    : undefined
}

/** Opens `body`, whose `content-encoding` is given as it came (empty for none). Never throws. */
export const decompress = async (
  body: Buffer,
  contentEncoding: string,
  limits: DecompressLimits,
): Promise<Decompressed> => {
  const layers = encodingLayers(contentEncoding)
  if (!layers)
    return {
      kind: 'refused',
      reason: 'encoding-unknown',
      detail: 'the content encoding is not gzip, deflate, br or zstd',
    }
  let plain = body
  for (const layer of layers.toReversed()) {
    if (plain.length === 0) break
    const opened = await openLayer(plain, layer, limits, body.length)
    if (opened.kind === 'refused') return opened
    plain = opened.body
  }
  return { kind: 'plain', body: plain }
}

const openLayer = (
  body: Buffer,
  layer: string,
  limits: DecompressLimits,
  inputSize: number,
): Promise<Decompressed> =>
  new Promise((resolve) => {
    const stream = openers[layer]!(body[0]!)
    const pieces: Buffer[] = []
    let size = 0
    const refuse = (
      reason: Extract<Decompressed, { kind: 'refused' }>['reason'],
      detail: string,
    ): void => {
      stream.destroy()
      resolve({ kind: 'refused', reason, detail })
    }
    stream.on('data', (piece: Buffer) => {
      size += piece.length
      if (size > limits.size)
        return refuse('decompressed-size', `more than ${limits.size} bytes after ${layer}`)
      if (size > ratioFloor && size > inputSize * limits.ratio) {
        return refuse(
          'decompression-ratio',
          `one byte of ${layer} becomes more than ${limits.ratio}`,
        )
      }
      pieces.push(piece)
    })
    stream.on('end', () => resolve({ kind: 'plain', body: Buffer.concat(pieces, size) }))
    stream.on('error', () => refuse('encoding-broken', `the body is not valid ${layer}`))
    stream.end(body)
  })
