/** Subject public keys as the JSON of Go's structures shows them. */
import { fromBigInt } from '../../numbers.ts'
import { RegoObject, type Value } from '../../values.ts'
import { bitsOf, childrenOf, integerOf, need, oidOf, readDer, type DerNode } from './der.ts'
import { publicKeyAlgorithms } from './names.ts'

/** Go's number of the algorithm, and the key. */
export function publicKeyValue(info: DerNode): { algorithm: number; key: Value } {
  const [algorithmNode, keyNode] = childrenOf(info)
  const [id] = childrenOf(need(algorithmNode))
  const algorithm = publicKeyAlgorithms.get(oidOf(need(id)).join('.')) ?? 0
  const bits = bitsOf(need(keyNode))
  return { algorithm, key: keyValue(algorithm, bits) }
}

function keyValue(algorithm: number, bits: Buffer): Value {
  switch (algorithm) {
    case 1: {
      const [modulus, exponent] = childrenOf(readDer(bits))
      return new RegoObject([
        ['N', fromBigInt(integerOf(need(modulus)))],
        ['E', fromBigInt(integerOf(need(exponent)))],
      ])
    }
    case 3: {
      const size = (bits.length - 1) / 2
      if (bits[0] !== 4 || !Number.isInteger(size) || size < 1) return null
      const coordinate = (from: number): Value =>
        fromBigInt(BigInt(`0x${bits.subarray(from, from + size).toString('hex')}`))
      return new RegoObject([
        ['Curve', new RegoObject()],
        ['X', coordinate(1)],
        ['Y', coordinate(1 + size)],
      ])
    }
    case 4:
      return bits.toString('base64')
    default:
      return null
  }
}
