/** Functions that make arrays from arrays. */
import { isArray, type Value } from '../values.ts'
import { arrayOperand, integerOperand, type FunctionTable } from './operand.ts'

function slice(array: readonly Value[], start: number, stop: number): readonly Value[] {
  const end = Math.min(Math.max(stop, 0), array.length)
  return array.slice(Math.min(Math.max(start, 0), end), end)
}

/** The elements, with those of an array in place of the array, one level deep. */
function flatten(array: readonly Value[]): readonly Value[] {
  return array.flatMap((element) => (isArray(element) ? element : [element]))
}

export const arrayFunctions: FunctionTable = {
  'array.concat': (_, left, right) => [...arrayOperand(left, 1), ...arrayOperand(right, 2)],
  'array.flatten': (_, array) => flatten(arrayOperand(array, 1)),
  'array.reverse': (_, array) => [...arrayOperand(array, 1)].reverse(),
  'array.slice': (_, array, start, stop) =>
    slice(arrayOperand(array, 1), integerOperand(start, 2), integerOperand(stop, 3)),
}
