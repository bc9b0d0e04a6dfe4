/** Properties of the codec: how bytes are cut changes nothing, and what is written is read back as it was. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkDecoder } from '../../src/wire/http1/chunked.ts'
import { readRequestHead } from '../../src/wire/http1/request-head.ts'
import { requestRules } from '../../src/wire/http1/request-scan.ts'
import { readResponseHead } from '../../src/wire/http1/call/response-head.ts'
import { writeRequestHead, writeResponseHead } from '../../src/wire/http1/write-head.ts'
import { HeaderList } from '../../src/wire/headers.ts'
import type { Framing } from '../../src/wire/message.ts'
import { forwardedTarget } from '../../src/wire/target.ts'
import { parseWithServer, strictOptions, type ParseOutcome } from '../support/memory-socket.ts'
import { llhttpCases, llhttpFile, ownCases } from '../support/smuggling-corpus.ts'

const forwardProxy = { ...strictOptions, mode: 'forward-proxy' } as const

/** What a stream meant, without how it was found. */
const meaning = (outcome: ParseOutcome) => ({
  messages: outcome.messages.map(({ head, body, complete }) => ({
    method: head.method,
    target: head.target,
    headers: [...head.headers],
    framing: head.framing,
    upgrade: head.upgrade,
    body: body.toString('latin1'),
    complete,
  })),
  refused: outcome.refused !== undefined,
  bodyBroken: outcome.bodyError !== undefined,
  bugs: outcome.bugs,
})

describe('cutting the bytes', () => {
  const cases = llhttpFile === undefined ? ownCases : [...ownCases, ...llhttpCases()]

  it('gives the same requests wherever they are cut in two', () => {
    for (const bytes of cases) {
      const whole = meaning(parseWithServer(bytes, [], forwardProxy))
      for (let cut = 1; cut < bytes.length; cut++)
        expect(
          meaning(parseWithServer(bytes, [cut], forwardProxy)),
          `${cut}: ${bytes.toString()}`,
        ).toEqual(whole)
    }
  })

  it('gives the same requests byte by byte', () => {
    for (const bytes of cases) {
      const everywhere = Array.from({ length: Math.max(0, bytes.length - 1) }, (_, i) => i + 1)
      expect(meaning(parseWithServer(bytes, everywhere, forwardProxy)), bytes.toString()).toEqual(
        meaning(parseWithServer(bytes, [], forwardProxy)),
      )
    }
  })
})

const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
const value = fc
  .string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 40,
  })
  .map((text) => text.trim().replaceAll(/^[ \t\u00a0]+|[ \t\u00a0]+$/g, ''))
const headers = fc
  .array(
    fc.tuple(
      token.map((name) => `x-${name}`),
      value,
    ),
    { maxLength: 12 },
  )
  // Names that may stand once only are a case of their own.
  .map((fields) =>
    fields.filter(([name]) => !/^x-(?:sallyport|spiffe|jwt|auth-request)-/.test(name)),
  )
const framing: fc.Arbitrary<Framing> = fc.oneof(
  fc.constant<Framing>({ kind: 'none' }),
  fc.constant<Framing>({ kind: 'chunked' }),
  fc.nat().map((length): Framing => ({ kind: 'length', length })),
)
const path = fc
  .array(fc.stringMatching(/^[a-zA-Z0-9_~-]{1,8}$/), { maxLength: 5 })
  .map((parts) => `/${parts.join('/')}`)

const listOf = (fields: readonly (readonly [string, string])[]): HeaderList => {
  const list = new HeaderList()
  for (const [name, text] of fields) list.add(name, text)
  return list
}

describe('writing and reading', () => {
  it('reads back the request head that it wrote', () => {
    fc.assert(
      fc.property(
        headers,
        framing,
        path,
        fc.option(fc.stringMatching(/^[a-z=&?/[\]]{0,20}$/)),
        (fields, frame, where, query) => {
          const target = query === null ? where : `${where}?${query}`
          const text = writeRequestHead(
            { method: 'PUT', target, authority: 'a.b:81', headers: listOf(fields) },
            frame,
          )
          const { head, keepAlive } = readRequestHead(text, requestRules(strictOptions))
          expect([...head.headers]).toEqual(fields)
          expect(head.framing).toEqual(frame)
          expect(forwardedTarget(head.target)).toBe(target)
          expect(head.target.authority).toBe('a.b:81')
          expect(keepAlive).toBe(true)
        },
      ),
    )
  })

  it('reads back the response head that it wrote', () => {
    const status = fc.integer({ min: 200, max: 599 }).filter((code) => code !== 204 && code !== 304)
    fc.assert(
      fc.property(headers, framing, status, (fields, frame, code) => {
        const text = writeResponseHead({ status: code, headers: listOf(fields) }, frame, '')
        const rules = { maxCount: 100, underscores: 'unsafe-allow', repeats: 'allow' } as const
        const read = readResponseHead(text, 'GET', rules)
        expect([...read.head.headers]).toEqual(fields)
        expect(read.head.status).toBe(code)
        expect(read.framing).toEqual(frame.kind === 'none' ? { kind: 'close' } : frame)
      }),
    )
  })

  it('takes any chunking of any body off, however it is cut', () => {
    const body = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 })
    fc.assert(
      fc.property(
        body,
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        (chunks, step, withTrailer) => {
          const coded = Buffer.concat([
            ...chunks.flatMap((chunk) => [
              Buffer.from(`${chunk.length.toString(16)};x=1\r\n`),
              chunk,
              Buffer.from('\r\n'),
            ]),
            Buffer.from(withTrailer ? '0\r\nx-trailer: 1\r\n\r\nnext' : '0\r\n\r\nnext'),
          ])
          const decoder = new ChunkDecoder(1024)
          const parts: Buffer[] = []
          let rest = 0
          for (let at = 0; at < coded.length; at += step) {
            const piece = coded.subarray(at, at + step)
            let used = 0
            while (used < piece.length && !decoder.done) {
              used = decoder.next(piece, used)
              if (decoder.data !== undefined) parts.push(Buffer.from(decoder.data))
            }
            if (decoder.done) rest += piece.length - used
          }
          expect(Buffer.concat(parts).equals(Buffer.concat(chunks))).toBe(true)
          expect(decoder.done).toBe(true)
          expect(rest).toBe('next'.length)
        },
      ),
    )
  })
})

describe('hostile bytes', () => {
  it('never throws out of the server end, whatever arrives', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (pieces) => {
        const bytes = Buffer.concat(pieces)
        let at = 0
        const cuts = pieces.map((piece) => (at += piece.length))
        expect(parseWithServer(bytes, cuts.slice(0, -1)).bugs).toEqual([])
      }),
    )
  })
})
