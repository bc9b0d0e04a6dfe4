/** Values as plain JavaScript, for comparison in tests. */
import { toJson } from '../../../src/rego/value-text.ts'
import type { Value } from '../../../src/rego/values.ts'

export { RegoObject, RegoSet } from '../../../src/rego/values.ts'

export function toPlain(value: Value | undefined): unknown {
  return value === undefined ? undefined : toJson(value)
}
