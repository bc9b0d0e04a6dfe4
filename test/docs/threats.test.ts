import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const text = readFileSync(join(root, 'docs', 'threats.md'), 'utf8')
const rows = [...text.matchAll(/^\| ([MHJPEAV]\d+) \| (.+) \| (.+) \| (.+) \|$/gm)].map(
  ([, id, threat, answer, shown]) => ({ id: id!, threat: threat!, answer: answer!, shown: shown! }),
)

const expected = { M: 12, H: 17, J: 17, P: 10, E: 13, A: 10, V: 14 }

describe('the table of threats', () => {
  it.each(Object.entries(expected))('has every row of family %s', (family, count) => {
    const ids = rows.map((row) => row.id).filter((id) => id.startsWith(family))
    expect(ids).toEqual(Array.from({ length: count }, (_, index) => `${family}${index + 1}`))
  })

  it('names for each row a test that exists, or says that it is planned', () => {
    const missing = rows
      .filter(({ shown }) => shown !== 'planned')
      .flatMap(({ id, shown }) => shown.split(', ').map((file) => `${id} ${file}`))
      .filter((line) => !existsSync(join(root, line.split(' ')[1]!)))
    expect(missing).toEqual([])
  })
})
