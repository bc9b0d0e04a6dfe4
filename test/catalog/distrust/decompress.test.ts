import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decompress } from '../../../src/catalog/distrust/decompress.ts'

const limits = { size: 1024 * 1024, ratio: 100 }
const json = Buffer.from(
  JSON.stringify(
    Array.from({ length: 500 }, (_, index) => ({ index, name: `item ${index * 7919}` })),
  ),
)
const bomb = Buffer.alloc(32 * 1024 * 1024)

const forms = [
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['zstd', zstdCompressSync],
] as const

describe('decompressing within limits', () => {
  it.each(forms)('opens %s', async (encoding, compress) => {
    const opened = await decompress(compress(json), encoding, limits)
    expect(opened.kind === 'plain' && opened.body.equals(json)).toBe(true)
  })

  it.each(forms)('stops a bomb in %s by ratio', async (encoding, compress) => {
    expect(await decompress(compress(bomb), encoding, { size: 2 ** 31, ratio: 100 })).toMatchObject(
      { kind: 'refused', reason: 'decompression-ratio' },
    )
  })

  it.each(forms)('stops %s at the size limit', async (encoding, compress) => {
    expect(
      await decompress(compress(json), encoding, { size: json.length - 1, ratio: 1e9 }),
    ).toMatchObject({ reason: 'decompressed-size' })
    expect(
      (await decompress(compress(json), encoding, { size: json.length, ratio: 1e9 })).kind,
    ).toBe('plain')
  })

  it('counts a bomb within a bomb against the bytes that travelled', async () => {
    expect(
      await decompress(gzipSync(gzipSync(bomb)), 'gzip, gzip', { size: 2 ** 31, ratio: 100 }),
    ).toMatchObject({ reason: 'decompression-ratio' })
  })

  it('opens layers in the order in which they were put on', async () => {
    const opened = await decompress(brotliCompressSync(gzipSync(json)), 'gzip, br', limits)
    expect(opened.kind === 'plain' && opened.body.equals(json)).toBe(true)
  })

  it.each([
    ['an unknown encoding', 'compress', json, 'encoding-unknown'],
    ['three layers', 'gzip, gzip, gzip', json, 'encoding-unknown'],
    ['a body that is not what it says', 'gzip', json, 'encoding-broken'],
    ['a cut body', 'br', brotliCompressSync(json).subarray(0, 100), 'encoding-broken'],
    ['a prototype name', 'constructor', json, 'encoding-unknown'],
  ])('refuses %s', async (_, encoding, body, reason) => {
    expect(await decompress(body, encoding, limits)).toMatchObject({ kind: 'refused', reason })
  })

  it('leaves a body without encoding as it is', async () => {
    expect(await decompress(json, '', limits)).toEqual({ kind: 'plain', body: json })
    expect(await decompress(json, 'identity', limits)).toEqual({ kind: 'plain', body: json })
  })
})
