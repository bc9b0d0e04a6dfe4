/** A module as the JSON that OPA's parser gives out, for `rego.parse_module`. */

import { isNumber } from '../numbers.ts'
import { fromJson } from '../value-text.ts'
import type { Value } from '../values.ts'
import type { Body, Expr, Module, RefTerm, Rule, Term, With } from './tree.ts'

/** The tree of a module in OPA's JSON form. */
export function moduleJson(module: Module): Value {
  const json: Record<string, unknown> = { package: { path: refJson(module.package) } }
  if (module.imports.length > 0) {
    json['imports'] = module.imports.map(({ path, alias }) => ({
      path: { type: 'ref', value: refJson(path) },
      ...(alias === undefined ? {} : { alias }),
    }))
  }
  if (module.rules.length > 0) json['rules'] = module.rules.map(ruleJson)
  return fromJson(json)
}

function ruleJson(rule: Rule): unknown {
  const { head } = rule
  const name = head.ref.head.kind === 'var' ? head.ref.head.name : ''
  return {
    ...(rule.isDefault ? { default: true } : {}),
    head: {
      name,
      ...(head.args === undefined ? {} : { args: head.args.map(termJson) }),
      ...(head.member === undefined ? {} : { key: termJson(head.member) }),
      ...(head.value === undefined ? {} : { value: termJson(head.value) }),
      ...(head.assign ? { assign: true } : {}),
      ref: refJson(head.ref),
    },
    body: bodyJson(rule.body),
    ...(rule.otherwise === undefined ? {} : { else: ruleJson(rule.otherwise) }),
  }
}

function refJson(ref: RefTerm): unknown[] {
  return [termJson(ref.head), ...ref.parts.map(termJson)]
}

function bodyJson(body: Body): unknown[] {
  return body.map((expr, index) => ({ index, ...exprJson(expr) }))
}

function exprJson(expr: Expr): Record<string, unknown> {
  const rest = {
    ...(expr.negated ? { negated: true } : {}),
    ...(expr.with.length === 0 ? {} : { with: expr.with.map(withJson) }),
  }
  switch (expr.kind) {
    case 'term':
      return { ...rest, terms: termJson(expr.term) }
    case 'call':
      return { ...rest, terms: [operatorJson(expr.name), ...expr.operands.map(termJson)] }
    case 'some':
      return { ...rest, terms: { symbols: expr.names.map(termJson) } }
    case 'some-in': {
      const operands =
        expr.key === undefined ? [expr.value, expr.domain] : [expr.key, expr.value, expr.domain]
      const operator = operatorJson(`internal.member_${operands.length}`)
      return {
        ...rest,
        terms: { symbols: [{ type: 'call', value: [operator, ...operands.map(termJson)] }] },
      }
    }
    case 'every':
      return {
        ...rest,
        terms: {
          key: expr.key === undefined ? null : termJson(expr.key),
          value: termJson(expr.value),
          domain: termJson(expr.domain),
          body: bodyJson(expr.body),
        },
      }
    case 'not':
      return { ...rest, terms: { body: bodyJson(expr.body) } }
    case 'logic':
      return {
        ...rest,
        terms: { operator: expr.operator, left: bodyJson(expr.left), right: bodyJson(expr.right) },
      }
  }
}

function withJson(item: With): unknown {
  return { target: termJson(item.target), value: termJson(item.value) }
}

function operatorJson(name: string): unknown {
  const [first, ...rest] = name.split('.')
  const words = rest.map((value) => ({ type: 'string', value }))
  return { type: 'ref', value: [{ type: 'var', value: first }, ...words] }
}

function termJson(term: Term): unknown {
  switch (term.kind) {
    case 'scalar':
      return { type: scalarType(term.value), value: term.value === null ? {} : term.value }
    case 'var':
      return { type: 'var', value: term.name }
    case 'ref':
      return { type: 'ref', value: refJson(term) }
    case 'array':
    case 'set':
      return { type: term.kind, value: term.items.map(termJson) }
    case 'object':
      return {
        type: 'object',
        value: term.entries.map(([key, value]) => [termJson(key), termJson(value)]),
      }
    case 'call':
      return { type: 'call', value: [operatorJson(term.name), ...term.operands.map(termJson)] }
    case 'comprehension': {
      const heads =
        term.key === undefined
          ? { term: termJson(term.value) }
          : { key: termJson(term.key), value: termJson(term.value) }
      return { type: `${term.of}comprehension`, value: { ...heads, body: bodyJson(term.body) } }
    }
    case 'template':
      return {
        type: 'templatestring',
        value: {
          parts: term.parts.map((part) =>
            typeof part === 'string'
              ? { type: 'string', value: part }
              : 'negated' in part
                ? exprJson(part)
                : termJson(part),
          ),
          multi_line: term.raw,
        },
      }
  }
}

function scalarType(value: unknown): string {
  if (value === null) return 'null'
  return isNumber(value) ? 'number' : typeof value
}
