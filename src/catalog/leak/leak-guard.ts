/**
 * Looks for keys and declared secrets in what goes to a host that they do not belong to, and for data classes.
 *
 * For the egress line, after the app's own credential was taken off and before ours is put on. Knows the keys that are in
 * force because they are given to it; it keeps none. It sees headers, URL and the body up to a limit: what is encrypted,
 * or cut into pieces shorter than ten characters and shuffled, passes.
 */
import type { Secret } from '../../secret.ts'
import type { ApisSection } from '../section.ts'
import { decompress } from '../distrust/decompress.ts'
import { detects } from './detect.ts'
import { haystacksOf } from './haystack.ts'
import type { Departure, Haystack } from './haystack.ts'
import { needlesOf, shortestSquashed, squash } from './needles.ts'
import type { LeakForm } from './needles.ts'
import { Searcher } from './searcher.ts'

/** A key in force and the entry whose hosts may receive it. */
export interface GuardedKey {
  readonly entry: { readonly name: string; readonly owner: string }
  readonly id: string
  readonly key: Secret
}

/** Something found that does not belong where it goes. Names, never values. */
export interface Leak {
  readonly kind: 'key' | 'pattern'
  /** Credential id or pattern name. */
  readonly id: string
  /** Entry that the key belongs to; empty for a pattern. */
  readonly belongsTo: string
  readonly place: string
  readonly form: LeakForm | 'pattern'
}

/** The verdict on what leaves. */
export interface LeakVerdict {
  readonly decision: 'allow' | 'observe' | 'refuse'
  readonly code: 'api.leak'
  readonly leaks: readonly Leak[]
  /** Data classes that were recognised; the caller judges them against the entry. */
  readonly data: readonly string[]
  readonly detail: string
  readonly hint: string
}

interface Known {
  readonly id: string
  readonly form: LeakForm
  /** Entries that may receive the key: two entries may share one. */
  readonly entries: ReadonlySet<string>
}

type Settings = Pick<ApisSection, 'leak_guard' | 'data_classes'>

/** Longest text that a declared pattern is tried on in one go. */
const patternChunk = 64 * 1024

/** The guard for one set of keys and settings. Make a new one when either changes. */
export class LeakGuard {
  readonly #settings: Settings
  readonly #plain: Searcher<Known>
  readonly #squashed: Searcher<Known>
  readonly #patterns: readonly {
    readonly name: string
    readonly expression: RegExp
    readonly mayGoTo: readonly string[]
  }[]
  readonly #classes: readonly {
    readonly name: string
    readonly recognises: (text: string) => boolean
  }[]

  constructor(settings: Settings, keys: readonly GuardedKey[]) {
    this.#settings = settings
    const plain: { text: string; value: Known }[] = []
    const squashed: { text: string; value: Known }[] = []
    for (const { id, key } of keys) {
      const entries = new Set(
        keys.filter((other) => other.key.equals(key)).map((other) => other.entry.name),
      )
      for (const { text, form } of needlesOf(key)) {
        const value = { id, form, entries }
        plain.push({ text, value })
        const bare = squash(text)
        if (bare.length >= shortestSquashed) squashed.push({ text: bare, value })
      }
    }
    this.#plain = new Searcher(plain)
    this.#squashed = new Searcher(squashed)
    this.#patterns = settings.leak_guard.patterns.map((one) => ({
      name: one.name,
      expression: new RegExp(one.pattern, 'u'),
      mayGoTo: one.may_go_to,
    }))
    this.#classes = Object.entries(settings.data_classes).map(([name, one]) => {
      const expressions = one.patterns.map((text) => new RegExp(text, 'u'))
      return {
        name,
        recognises: (text) =>
          one.detect.some((detector) => detects(detector, text)) ||
          expressions.some((expression) => expression.test(text)),
      }
    })
  }

  /** True when a body must be held (up to `body_limit`) for this guard to see it. */
  get wantsBody(): boolean {
    return this.#settings.leak_guard.mode !== 'off' || this.#classes.length > 0
  }

  /** Judges what leaves for the entry named `destination`; compressed bodies are opened first, within the body limit. */
  async judge(
    destination: string,
    departure: Departure,
    contentEncoding = '',
  ): Promise<LeakVerdict> {
    const limit = this.#settings.leak_guard.body_limit
    let body = departure.body?.subarray(0, limit)
    if (departure.body && contentEncoding !== '') {
      const opened = await decompress(departure.body, contentEncoding, {
        size: limit * 4,
        ratio: 1_000,
      })
      if (opened.kind === 'plain') body = opened.body.subarray(0, limit)
    }
    return this.judgePlain(destination, { ...departure, body })
  }

  /** As {@link judge}, for a body that is not compressed. */
  judgePlain(destination: string, departure: Departure): LeakVerdict {
    const { mode } = this.#settings.leak_guard
    const haystacks = haystacksOf(departure)
    const leaks =
      mode === 'off'
        ? []
        : [...this.#keysIn(destination, haystacks), ...this.#patternsIn(destination, haystacks)]
    const readable = haystacks.filter((one) => !one.squashed)
    const data = this.#classes
      .filter((one) =>
        readable.some(({ text }) => chunksOf(text).some((chunk) => one.recognises(chunk))),
      )
      .map((one) => one.name)
    const first = leaks[0]
    const what =
      first?.kind === 'key'
        ? `the key ${first.id} of ${first.belongsTo}`
        : `what looks like ${first?.id}`
    return {
      decision: first === undefined ? 'allow' : mode === 'enforce' ? 'refuse' : 'observe',
      code: 'api.leak',
      leaks,
      data,
      detail: first
        ? `the request to ${destination} carries ${what} in its ${first.place} (${first.form})`
        : '',
      hint:
        first?.kind === 'key'
          ? 'take it out of the request and rotate it: it must be taken as known'
          : first
            ? 'take it out of the request, or list the entry under may_go_to of the pattern'
            : '',
    }
  }

  #keysIn(destination: string, haystacks: readonly Haystack[]): readonly Leak[] {
    const leaks = new Map<string, Leak>()
    for (const { place, text, squashed } of haystacks) {
      for (const known of (squashed ? this.#squashed : this.#plain).find(text)) {
        if (known.entries.has(destination)) continue
        const [belongsTo = ''] = known.entries
        const at = `${belongsTo} ${known.id} ${place}`
        const before = leaks.get(at)
        if (before && before.form !== 'part') continue
        leaks.set(at, { kind: 'key', id: known.id, belongsTo, place, form: known.form })
      }
    }
    // Found in one header, a key is found again in all of them together.
    const single = new Set(
      [...leaks.values()].filter((one) => one.place.startsWith('header ')).map((one) => one.id),
    )
    return [...leaks.values()].filter((one) => one.place !== 'headers' || !single.has(one.id))
  }

  #patternsIn(destination: string, haystacks: readonly Haystack[]): readonly Leak[] {
    const leaks = new Map<string, Leak>()
    for (const { name, expression, mayGoTo } of this.#patterns) {
      if (mayGoTo.includes(destination)) continue
      for (const { place, text, squashed } of haystacks) {
        if (squashed || leaks.has(`${name} ${place}`)) continue
        if (!chunksOf(text).some((chunk) => expression.test(chunk))) continue
        leaks.set(`${name} ${place}`, {
          kind: 'pattern',
          id: name,
          belongsTo: '',
          place,
          form: 'pattern',
        })
      }
    }
    return [...leaks.values()]
  }
}

/** Pieces that overlap by 256 characters, so that a match on the border is not lost. */
const chunksOf = (text: string): readonly string[] => {
  if (text.length <= patternChunk) return [text]
  const chunks: string[] = []
  for (let at = 0; at < text.length; at += patternChunk - 256)
    chunks.push(text.slice(at, at + patternChunk))
  return chunks
}
