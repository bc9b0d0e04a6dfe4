import { describe, expect, it } from 'vitest'
import { collectBody, type BodySource } from '../../src/wire/body.ts'
import { HeaderList } from '../../src/wire/headers.ts'
import type { WireError } from '../../src/wire/wire-error.ts'

describe('header list', () => {
  it('keeps order and duplicates, and finds by lower-case name', () => {
    const list = HeaderList.from({ 'X-A': ['1', '2'], b: '3' })
    expect([...list]).toEqual([
      ['x-a', '1'],
      ['x-a', '2'],
      ['b', '3'],
    ])
    expect(list.get('x-a')).toBe('1')
    expect(list.all('x-a')).toEqual(['1', '2'])
    expect(list.count('x-a')).toBe(2)
    expect(list.has('c')).toBe(false)
    expect(list.size).toBe(3)
  })

  it('replaces, deletes and copies without touching the other', () => {
    const list = HeaderList.from({ a: ['1', '2'], b: '3', c: '4' })
    const copy = list.copy()
    copy.set('A', '5')
    copy.deleteWhere((name) => name === 'b')
    expect([...copy]).toEqual([
      ['c', '4'],
      ['a', '5'],
    ])
    expect(list.size).toBe(4)
    expect(list.delete('zz')).toBe(false)
    expect(list.delete('a')).toBe(true)
    expect(list.toRecord()).toEqual(Object.assign(Object.create(null), { b: ['3'], c: ['4'] }))
  })

  it('takes __proto__ as a name like any other', () => {
    const record = new HeaderList(['__proto__', 'x', 'constructor', 'y']).toRecord()
    expect(Object.keys(record)).toEqual(['__proto__', 'constructor'])
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  it.each([
    ['', 'x'],
    ['a b', 'x'],
    ['a:', 'x'],
    ['a', 'x\r\ny: z'],
    ['a', 'x\ny'],
    ['a', 'x\0'],
    ['a', '€'],
  ])('takes neither %j nor %j outside the grammar', (name, value) => {
    expect(() => new HeaderList().add(name, value)).toThrowError(
      expect.objectContaining({ code: 'malformed' }),
    )
    expect(() => HeaderList.from({ [name]: value })).toThrowError(
      expect.objectContaining({ code: 'malformed' }),
    )
  })
})

const sourceOf = (
  chunks: readonly string[],
  length?: number,
): BodySource & { cancelled: boolean } => {
  const source = {
    length,
    cancelled: false,
    start: (sink: Parameters<BodySource['start']>[0]) => {
      for (const chunk of chunks) if (!source.cancelled) sink.data(Buffer.from(chunk))
      if (!source.cancelled) sink.end()
    },
    pause: () => undefined,
    resume: () => undefined,
    cancel: () => {
      source.cancelled = true
    },
  }
  return source
}

describe('collecting a body', () => {
  const collect = (source: BodySource, limit: number) => {
    const calls: [WireError | undefined, string][] = []
    collectBody(source, limit, (error, bytes) => calls.push([error, bytes.toString()]))
    return calls
  }

  it('gives the whole body once', () => {
    expect(collect(sourceOf(['ab', 'cd']), 4)).toEqual([[undefined, 'abcd']])
    expect(collect(sourceOf([]), 4)).toEqual([[undefined, '']])
  })

  it('cancels a body that is longer, declared or not', () => {
    for (const source of [sourceOf(['ab', 'cd', 'e']), sourceOf([], 5)]) {
      const [call, ...more] = collect(source, 4)
      expect(call![0]).toMatchObject({ code: 'too-large', status: 413 })
      expect(more).toEqual([])
      expect(source.cancelled).toBe(true)
    }
  })
})
