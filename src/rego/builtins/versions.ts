/** Semantic versions: `semver.compare` and `semver.is_valid`. A leading `v` is allowed. */
import { quoteGo } from './go/quote.ts'
import { fail, stringOperand, type FunctionTable } from './operand.ts'
import { compareStrings } from '../values.ts'

interface Version {
  readonly numbers: readonly bigint[]
  readonly preRelease: readonly string[]
}

const identifiers = /^[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*$/
const core = /^([+-]?\d+)\.([+-]?\d+)\.([+-]?\d+)$/
const largest = 2n ** 63n - 1n

function parse(text: string): Version | undefined {
  const [release, metadata] = cut(text.startsWith('v') ? text.slice(1) : text, '+')
  if (metadata !== '' && !identifiers.test(metadata)) return undefined
  const [numbers, preRelease] = cut(release, '-')
  if (preRelease !== '' && !identifiers.test(preRelease)) return undefined
  const match = core.exec(numbers)
  if (match === null) return undefined
  const parts = match.slice(1).map((part) => BigInt(part.replace('+', '')))
  if (parts.some((part) => part > largest)) return undefined
  return { numbers: parts, preRelease: preRelease === '' ? [] : preRelease.split('.') }
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** Precedence by SemVer 2.0 §11. */
function compare(a: Version, b: Version): number {
  for (let index = 0; index < 3; index++) {
    const order = compareNumbers(a.numbers[index]!, b.numbers[index]!)
    if (order !== 0) return order
  }
  if (a.preRelease.length === 0 || b.preRelease.length === 0) {
    return Math.sign(b.preRelease.length - a.preRelease.length)
  }
  const shared = Math.min(a.preRelease.length, b.preRelease.length)
  for (let index = 0; index < shared; index++) {
    const order = compareIdentifiers(a.preRelease[index]!, b.preRelease[index]!)
    if (order !== 0) return order
  }
  return Math.sign(a.preRelease.length - b.preRelease.length)
}

function compareNumbers(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareIdentifiers(a: string, b: string): number {
  const aIsNumber = /^\d+$/.test(a)
  if (aIsNumber !== /^\d+$/.test(b)) return aIsNumber ? -1 : 1
  return aIsNumber ? compareNumbers(BigInt(a), BigInt(b)) : Math.sign(compareStrings(a, b))
}

function versionOperand(text: string, position: number): Version {
  return parse(text) ?? fail(`operand ${position}: string ${quoteGo(text)} is not a valid SemVer`)
}

export const versionFunctions: FunctionTable = {
  'semver.compare': (_, left, right) => {
    const a = stringOperand(left, 1)
    const b = stringOperand(right, 2)
    return compare(versionOperand(a, 1), versionOperand(b, 2))
  },
  'semver.is_valid': (_, text) => typeof text === 'string' && parse(text) !== undefined,
}
