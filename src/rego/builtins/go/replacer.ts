/**
 * Many replacements in one pass, in the order of Go's strings.Replacer: at each position the first pair (in the
 * order given) whose text stands there wins, and what was put in is not looked at again.
 *
 * An empty text to replace is put in once at each position and at the end.
 */
export class Replacer {
  readonly #byFirst = new Map<string, (readonly [string, string])[]>()
  readonly #empty: string | undefined
  readonly #limit: number

  /** `limit` is the largest number of UTF-16 units that a result may have. */
  constructor(pairs: readonly (readonly [string, string])[], limit: number) {
    this.#limit = limit
    for (const pair of pairs) {
      const [from, to] = pair
      if (from === '') {
        this.#empty ??= to
        continue
      }
      const list = this.#byFirst.get(from.charAt(0))
      if (list === undefined) this.#byFirst.set(from.charAt(0), [pair])
      else list.push(pair)
    }
  }

  /** The text with every replacement made, or undefined when it would pass the limit. */
  replace(text: string): string | undefined {
    const parts: string[] = []
    let size = 0
    let copied = 0
    let at = 0
    let emptyHere = false
    const put = (part: string): void => {
      parts.push(part)
      size += part.length
    }
    while (at <= text.length) {
      if (this.#empty !== undefined && !emptyHere) {
        put(text.slice(copied, at))
        put(this.#empty)
        copied = at
        emptyHere = true
        continue
      }
      emptyHere = false
      const pair = at < text.length ? this.#matchAt(text, at) : undefined
      if (pair === undefined) {
        at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
      } else {
        put(text.slice(copied, at))
        put(pair[1])
        at += pair[0].length
        copied = at
      }
      if (size > this.#limit) return undefined
    }
    put(text.slice(copied))
    return size > this.#limit ? undefined : parts.join('')
  }

  #matchAt(text: string, at: number): readonly [string, string] | undefined {
    const candidates = this.#byFirst.get(text.charAt(at))
    return candidates?.find(([from]) => text.startsWith(from, at))
  }
}
