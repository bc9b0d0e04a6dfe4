import { describe, expect, it } from 'vitest'
import { TemplateIndex, templateProblem } from '../../src/stages/path-template.ts'

const indexOf = (...templates: string[]): TemplateIndex<string> => {
  const index = new TemplateIndex<string>()
  for (const template of templates) index.add(template, template)
  return index
}

const match = (index: TemplateIndex<string>, path: string) => index.match(path.slice(1).split('/'))

describe('path templates', () => {
  it('prefer a literal to a name, and a name to the rest', () => {
    const index = indexOf('/a/{rest*}', '/a/{id}', '/a/b')
    expect(match(index, '/a/b')?.value).toBe('/a/b')
    expect(match(index, '/a/c')).toEqual({ value: '/a/{id}', params: { id: 'c' } })
    expect(match(index, '/a/c/d')).toEqual({ value: '/a/{rest*}', params: { rest: 'c/d' } })
  })

  it('turn back when a literal leads nowhere', () => {
    const index = indexOf('/a/b/c', '/a/{id}/d')
    expect(match(index, '/a/b/d')).toEqual({ value: '/a/{id}/d', params: { id: 'b' } })
    expect(match(index, '/a/b/e')).toBeUndefined()
  })

  it('do not take an empty segment for a name', () => {
    expect(match(indexOf('/a/{id}'), '/a/')).toBeUndefined()
    expect(match(indexOf('/'), '/')?.value).toBe('/')
  })

  it('say when an equal template stands already', () => {
    const index = indexOf('/a/{id}')
    expect(index.add('/a/{other}', 'second')).toBe('/a/{id}')
    expect(index.add('/a/{id}/b', 'third')).toBeUndefined()
  })

  it.each([
    ['a', 'starts with /'],
    ['/{a}/{a}', 'stands twice'],
    ['/{a*}/b', 'last segment'],
    ['/x{a}', 'whole segment'],
    ['/a?b', 'whole segment'],
  ])('refuse %s', (template, problem) => {
    expect(templateProblem(template)).toContain(problem)
  })

  it('accept what they mean to', () => {
    for (const template of ['/', '/a', '/a/{id}', '/a/{id}/b/{rest*}']) {
      expect(templateProblem(template)).toBeUndefined()
    }
  })
})
