/** Values of policies as indented JSON, with all digits of their numbers. */
import { toJsonText } from '../../rego/value-text.ts'
import { isArray, type Value } from '../../rego/values.ts'

const isPlain = (value: Value): value is Readonly<Record<string, Value>> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** The value, two spaces for each level. */
export const indented = (value: Value, before = ''): string => {
  const inside = `${before}  `
  if (isArray(value)) {
    if (value.length === 0) return '[]'
    const items = value.map((item) => `${inside}${indented(item, inside)}`)
    return `[\n${items.join(',\n')}\n${before}]`
  }
  if (!isPlain(value)) return toJsonText(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  if (members.length === 0) return '{}'
  const lines = members.map(
    ([key, member]) => `${inside}${JSON.stringify(key)}: ${indented(member, inside)}`,
  )
  return `{\n${lines.join(',\n')}\n${before}}`
}
