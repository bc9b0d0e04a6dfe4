import { describe, expect, it } from 'vitest'
import { fallbackAfter, KeyLedger } from '../../src/catalog/ledger.ts'
import { Secret } from '../../src/secret.ts'
import { cardsYaml, entryOf } from '../support/catalog.ts'

const day = 86_400_000
const start = Date.parse('2026-06-01T00:00:00Z')
const entry = (more = '') =>
  entryOf(
    cardsYaml(
      `credential: { id: cards-live, from: { environment: K }, rotate_every: 100d${more} }\nauthentication: { kind: header }\n`,
    ),
  )
const key = new Secret('sk_live_secret')
const ledger = () => new KeyLedger(Buffer.alloc(32, 1))

describe('the key ledger', () => {
  it.each([
    [0, 'allow', 'fresh'],
    [80 * day - 1, 'allow', 'fresh'],
    [80 * day, 'warn', 'due-soon'],
    [100 * day - 1, 'warn', 'due-soon'],
    [100 * day, 'refuse', 'overdue'],
  ])('judges a key of %d ms as %s', (age, decision, state) => {
    const book = ledger()
    const cards = entry(', at_limit: refuse')
    book.see(cards, key, start)
    expect(book.judge(cards, key, start + age)).toMatchObject({ decision, state, ageMs: age })
  })

  it('only warns at the limit unless the entry says refuse', () => {
    const book = ledger()
    book.see(entry(), key, start)
    expect(book.judge(entry(), key, start + 500 * day)).toMatchObject({
      decision: 'warn',
      state: 'overdue',
      ageDays: 500,
    })
  })

  it('counts from the stated day of issue, and a rotated key from when it came', () => {
    const book = ledger()
    const cards = entry(', issued: 2026-03-01')
    expect(book.judge(cards, key, start).ageDays).toBe(92)
    expect(book.judge(cards, new Secret('next'), start + 5 * day).ageDays).toBe(0)
    expect(book.judge(cards, new Secret('next'), start + 7 * day).ageDays).toBe(2)
  })

  it('keeps first and last use, over a restart too', () => {
    const book = ledger()
    book.see(entry(), key, start)
    book.use(entry(), key, start + 1)
    book.use(entry(), key, start + 2)
    const again = new KeyLedger(
      Buffer.alloc(32, 1),
      JSON.parse(JSON.stringify(book.rows())) as ReturnType<KeyLedger['rows']>,
    )
    again.use(entry(), key, start + 3)
    expect(again.rows()).toMatchObject([
      { firstSeen: start, firstUse: start + 1, lastUse: start + 3, uses: 3 },
    ])
  })

  it('holds no key, and its fingerprints mean nothing under another ledger key', () => {
    const book = ledger()
    book.use(entry(), key, start)
    expect(JSON.stringify(book.rows())).not.toContain('sk_live')
    expect(new KeyLedger(Buffer.alloc(32, 2)).fingerprint(key)).not.toBe(book.fingerprint(key))
    expect(book.fingerprint(new Secret('other'))).not.toBe(book.fingerprint(key))
  })
})

describe('falling back to the previous key', () => {
  const attempt = {
    status: 401,
    usedKey: 'current',
    previous: new Secret('old'),
    bodyReplayable: true,
  } as const
  it('happens once, on 401 with the new key, and says so', () => {
    expect(fallbackAfter(entry(), attempt)).toMatchObject({
      decision: 'use-previous',
      detail: expect.stringContaining('cards-live') as string,
    })
  })
  it.each([
    ['another status', { status: 403 }],
    ['the previous key itself', { usedKey: 'previous' as const }],
    ['no previous key', { previous: undefined }],
    ['a body that cannot be sent again', { bodyReplayable: false }],
  ])('does not happen for %s', (_, change) => {
    expect(fallbackAfter(entry(), { ...attempt, ...change }).decision).toBe('none')
  })
})
