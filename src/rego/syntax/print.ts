/**
 * Trees back to text. What is printed parses to the same tree, places and comments aside; it is not a
 * formatter, and lays out one expression to a line.
 */

import { numberToText } from '../numbers.ts'
import { keywordsOf } from './cursor.ts'
import type { Body, Expr, Head, Module, RefTerm, Rule, Term, With } from './tree.ts'

const infix: Readonly<Record<string, string>> = {
  equal: '==',
  neq: '!=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  or: '|',
  and: '&',
  plus: '+',
  minus: '-',
  mul: '*',
  div: '/',
  rem: '%',
}

const keywords = keywordsOf('v1')

export function printModule(module: Module): string {
  const [, ...path] = printRef(module.package).split('.')
  const first = module.package.parts[0]
  const name = first?.kind === 'scalar' ? String(first.value) : path.join('.')
  const rest = module.package.parts.slice(1).map(printPart).join('')
  const imports = module.imports.map(({ path: target, alias }) => {
    return `import ${printRef(target)}${alias === undefined ? '' : ` as ${alias}`}\n`
  })
  const rules = module.rules.map((rule) => `${printRule(rule)}\n`)
  return [`package ${name}${rest}\n`, imports.join(''), ...rules]
    .filter((part) => part !== '')
    .join('\n')
}

export function printRule(rule: Rule): string {
  const start = rule.isDefault ? 'default ' : ''
  let text = `${start}${printHead(rule.head, rule.written.value)}${printRuleBody(rule)}`
  for (let other = rule.otherwise; other !== undefined; other = other.otherwise) {
    const { head } = other
    const value =
      other.written.value && head.value !== undefined
        ? ` ${head.assign ? ':=' : '='} ${printTerm(head.value)}`
        : ''
    text += ` else${value}${printRuleBody(other)}`
  }
  return text
}

function printRuleBody(rule: Rule): string {
  if (!rule.written.body) return ''
  return `${rule.written.keywordIf ? ' if' : ''} ${printBlock(rule.body)}`
}

function printHead(head: Head, hasValue: boolean): string {
  const args = head.args === undefined ? '' : `(${head.args.map(printTerm).join(', ')})`
  const name = `${printRef(head.ref)}${args}`
  if (head.member !== undefined) return `${name} contains ${printTerm(head.member)}`
  if (head.value === undefined || !hasValue) return name
  return `${name} ${head.assign ? ':=' : '='} ${printTerm(head.value)}`
}

function printBlock(body: Body): string {
  const lines = printBody(body).map((line) => `\t${line.replaceAll('\n', '\n\t')}\n`)
  return `{\n${lines.join('')}}`
}

export function printBody(body: Body): string[] {
  return body.map(printExpr)
}

export function printExpr(expr: Expr): string {
  const withs = expr.with.map(printWith).join('')
  return `${expr.negated ? 'not ' : ''}${printBare(expr)}${withs}`
}

function printWith({ target, value }: With): string {
  return ` with ${printTerm(target)} as ${printTerm(value)}`
}

function printBare(expr: Expr): string {
  switch (expr.kind) {
    case 'term':
      return printTerm(expr.term)
    case 'call': {
      const [left, right] = expr.operands as readonly [Term, Term]
      if (expr.name === 'assign' && expr.operands.length === 2)
        return `${printTerm(left)} := ${printTerm(right)}`
      if (expr.name === 'eq' && expr.operands.length === 2)
        return `${printTerm(left)} = ${printTerm(right)}`
      return printCall(expr.name, expr.operands, 'bare')
    }
    case 'some':
      return `some ${expr.names.map(printTerm).join(', ')}`
    case 'some-in': {
      const key = expr.key === undefined ? '' : `${printTerm(expr.key)}, `
      return `some ${key}${printTerm(expr.value)} in ${printTerm(expr.domain)}`
    }
    case 'every': {
      const key = expr.key === undefined ? '' : `${printTerm(expr.key)}, `
      return `every ${key}${printTerm(expr.value)} in ${printTerm(expr.domain)} ${printBlock(expr.body)}`
    }
    case 'not':
      return `not ${printOperand(expr.body, expr.braces)}`
    case 'logic': {
      const [left, right] = expr.braces
      return `${printOperand(expr.left, left)} ${expr.operator} ${printOperand(expr.right, right)}`
    }
  }
}

function printOperand(body: Body, braces: boolean): string {
  if (braces) return printBlock(body)
  const text = printBody(body).join('; ')
  const [only] = body
  const isGroup = only?.kind === 'logic' || (only?.with.length ?? 0) > 0
  // What begins with a brace would be read as a body.
  return isGroup || text.startsWith('{') ? `(${text})` : text
}

function printCall(name: string, operands: readonly Term[], place: 'bare' | 'inner'): string {
  const [first, second, third] = operands as readonly [Term, Term, Term]
  const operator = infix[name]
  let text: string | undefined
  if (operator !== undefined && operands.length === 2)
    text = `${printTerm(first)} ${operator} ${printTerm(second)}`
  if (name === 'internal.member_2') text = `${printTerm(first)} in ${printTerm(second)}`
  if (name === 'internal.member_3')
    text = `${printTerm(first)}, ${printTerm(second)} in ${printTerm(third)}`
  if (text === undefined) return `${name}(${operands.map(printTerm).join(', ')})`
  return place === 'inner' ? `(${text})` : text
}

export function printTerm(term: Term): string {
  switch (term.kind) {
    case 'scalar':
      if (typeof term.value === 'string') return JSON.stringify(term.value)
      return term.value === null || typeof term.value === 'boolean'
        ? String(term.value)
        : numberToText(term.value)
    case 'var':
      return term.name.startsWith('$') ? '_' : term.name
    case 'ref':
      return printRef(term)
    case 'array':
      return `[${term.items.map(printTerm).join(', ')}]`
    case 'set':
      return term.items.length === 0 ? 'set()' : `{${term.items.map(printTerm).join(', ')}}`
    case 'object':
      return `{${term.entries.map(([key, value]) => `${printTerm(key)}: ${printTerm(value)}`).join(', ')}}`
    case 'call':
      return printCall(term.name, term.operands, 'inner')
    case 'comprehension': {
      const [open, close] = term.of === 'array' ? ['[', ']'] : ['{', '}']
      const key = term.key === undefined ? '' : `${printTerm(term.key)}: `
      return `${open}${key}${printTerm(term.value)} | ${printBody(term.body).join('; ')}${close}`
    }
    case 'template':
      return printTemplate(term)
  }
}

function printRef(ref: RefTerm): string {
  return `${printTerm(ref.head)}${ref.parts.map(printPart).join('')}`
}

function printPart(part: Term): string {
  if (part.kind === 'scalar' && typeof part.value === 'string') {
    if (/^[A-Za-z_]\w*$/.test(part.value) && !keywords.has(part.value)) return `.${part.value}`
  }
  return `[${part.kind === 'call' ? printCall(part.name, part.operands, 'bare') : printTerm(part)}]`
}

function printTemplate(term: Term & { kind: 'template' }): string {
  const pieces = term.parts.map((part) => {
    if (typeof part !== 'string')
      return `{${'negated' in part ? printExpr(part) : printTerm(part)}}`
    const text = term.raw ? part : JSON.stringify(part).slice(1, -1)
    return text.replaceAll('{', '\\{')
  })
  return term.raw ? `$\`${pieces.join('')}\`` : `$"${pieces.join('')}"`
}
