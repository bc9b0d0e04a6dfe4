/**
 * What the codec accepts, llhttp (strict) accepts with the same method, target, headers and body.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAuthority } from '../../src/wire/target.ts'
import { referee, type RefereeMessage } from '../support/llhttp.ts'
import { parseWithServer, strictOptions, type ParsedMessage } from '../support/memory-socket.ts'
import { fuzzRuns, mutated } from '../support/mutate.ts'
import {
  gadgetFile,
  gadgetRequests,
  llhttpCases,
  llhttpFile,
  ownCases,
} from '../support/smuggling-corpus.ts'

const ownFields = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'http2-settings',
  'alt-used',
])

const targetOf = ({ head }: ParsedMessage, seen: string): string => {
  const { target } = head
  const rest = target.hasQuery ? `${target.path}?${target.query}` : target.path
  if (target.form === 'authority') return target.authority
  if (target.form !== 'absolute') return rest
  // The authority is compared apart; an empty path is the same as `/`.
  const prefix = /^https?:\/\/[^/?]*/i.exec(seen)![0]
  return (
    prefix + (seen.length === prefix.length || seen[prefix.length] === '?' ? rest.slice(1) : rest)
  )
}

/** Throws unless both understood the same request. */
const expectSame = (ours: ParsedMessage, theirs: RefereeMessage | undefined): void => {
  if (theirs === undefined) throw new Error('llhttp saw no such request')
  const { head } = ours
  expect(theirs.method).toBe(head.method)
  expect(theirs.version).toBe(head.version)
  const value = (name: string) =>
    theirs.headers.find(([key]) => key.toLowerCase() === name)?.[1].replace(/[ \t]+$/, '')
  if (head.target.form === 'authority') {
    expect(readAuthority(theirs.target, 'http').host).toBe(head.target.host)
  } else {
    expect(targetOf(ours, theirs.target)).toBe(theirs.target)
    expect(readAuthority(value('host')!, head.target.scheme).text).toBe(head.target.authority)
  }
  expect([...head.headers]).toEqual(
    theirs.headers
      .map(([name, text]) => [name.toLowerCase(), text.replace(/[ \t]+$/, '')])
      .filter(([name]) => !ownFields.has(name!)),
  )
  if (head.framing.kind === 'length')
    expect(Number(value('content-length'))).toBe(head.framing.length)
  if (head.framing.kind === 'chunked')
    expect(value('transfer-encoding')?.toLowerCase()).toBe('chunked')
  if (head.framing.kind === 'none') expect(value('transfer-encoding')).toBeUndefined()
  if (ours.complete) {
    expect(theirs.complete).toBe(true)
    expect(theirs.body.equals(ours.body)).toBe(true)
  }
}

/** Compares one stream of bytes; gives how many requests were accepted. */
const compare = (bytes: Buffer): number => {
  for (const mode of ['server', 'forward-proxy'] as const) {
    const ours = parseWithServer(bytes, [], { ...strictOptions, mode })
    expect(ours.bugs).toEqual([])
    const theirs = referee(bytes)
    try {
      ours.messages.forEach((message, index) => expectSame(message, theirs.messages[index]))
    } catch (error) {
      throw new Error(`${JSON.stringify(bytes.toString('latin1'))}: llhttp says ${theirs.error}`, {
        cause: error,
      })
    }
    if (mode === 'server' && ours.refused === undefined) return ours.messages.length
  }
  return 0
}

describe.skipIf(llhttpFile === undefined || gadgetFile === undefined)('published cases', () => {
  it('understands the cases of llhttp as llhttp does, or refuses them', () => {
    for (const bytes of llhttpCases()) compare(bytes)
  })

  it('refuses every smuggling gadget, or frames it in the one way that llhttp does', () => {
    let accepted = 0
    for (const bytes of gadgetRequests()) accepted += compare(bytes)
    // Content-Length alone, in gadgets whose Transfer-Encoding went into some other header.
    expect(accepted).toBeLessThan(50)
  })
})

describe('generated cases', () => {
  it('accepts its own seeds', () => {
    for (const seed of ownCases) {
      const { messages, refused } = parseWithServer(seed, [], {
        ...strictOptions,
        mode: 'forward-proxy',
      })
      expect(refused, seed.toString()).toBeUndefined()
      expect(messages.length).toBeGreaterThan(0)
    }
  })

  it('agrees with llhttp on every mutation that it accepts', () => {
    fc.assert(
      fc.property(mutated(ownCases), (bytes) => {
        compare(bytes)
      }),
      { numRuns: fuzzRuns(5_000) },
    )
  })
})
