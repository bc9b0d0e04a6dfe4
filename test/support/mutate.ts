/** Mutations of request bytes with the bytes that parsers differ on; deterministic for one seed. */
import * as fc from 'fast-check'

const meaningful = fc.constantFrom(
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\0',
  '\x0b',
  '\x7f',
  '0',
  '1',
  'a',
  '_',
  '-',
  '%',
  '/',
  '\r\nContent-Length: 1',
  '\r\nTransfer-Encoding: chunked',
  '\r\nHost: b',
  ' HTTP/1.1\r\n',
  '\xff',
  '\r\n ',
  ' :',
  'chunked',
  'identity',
  '\r\nConnection: close',
  '\r\n0\r\n\r\n',
  '+',
  '0x',
  '"',
)

const edit = fc.record({
  // Evenly spread: a random double would nearly always be close to 0, and hit the method.
  at: fc.noBias(fc.nat(99_999)).map((part) => part / 100_000),
  remove: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
  insert: fc.oneof(meaningful, fc.constant(''), fc.string({ unit: 'binary', maxLength: 2 })),
})

/** One of the seeds with one to three edits. */
export const mutated = (seeds: readonly Buffer[]): fc.Arbitrary<Buffer> =>
  fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 3 }))
    .map(([seed, edits]) => {
      let text = seed.toString('latin1')
      for (const { at, remove, insert } of edits) {
        const offset = Math.floor(at * text.length)
        text = text.slice(0, offset) + insert + text.slice(offset + remove)
      }
      return Buffer.from(text, 'latin1')
    })

/** How many mutations a test runs: few by default, as many as `SALLYPORT_FUZZ_RUNS` says in a longer run. */
export const fuzzRuns = (few: number): number => Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? few)
