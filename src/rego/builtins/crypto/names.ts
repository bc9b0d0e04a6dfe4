/** Distinguished names, extensions and algorithms of X.509 as the JSON of Go's structures shows them. */
import { RegoObject, type Value } from '../../values.ts'
import { childrenOf, need, oidOf, tags, textOfNode, type DerNode } from './der.ts'

/** The fields of a name that hold lists, by the last arc of their identifier under 2.5.4. */
const listFields = new Map([
  [6, 'Country'],
  [7, 'Locality'],
  [8, 'Province'],
  [9, 'StreetAddress'],
  [10, 'Organization'],
  [11, 'OrganizationalUnit'],
  [17, 'PostalCode'],
])

/** Go's pkix.Name of an RDN sequence. */
export function nameValue(node: DerNode): Value {
  const lists = new Map<string, string[]>()
  const single = { CommonName: '', SerialNumber: '' }
  const names: Value[] = []
  for (const set of childrenOf(node)) {
    for (const attribute of childrenOf(set, tags.set)) {
      const [type, value] = childrenOf(attribute)
      const arcs = oidOf(need(type))
      const text = textOfNode(need(value)) ?? null
      names.push(
        new RegoObject([
          ['Type', arcs],
          ['Value', text],
        ]),
      )
      if (text === null || arcs.length !== 4 || arcs[0] !== 2 || arcs[1] !== 5 || arcs[2] !== 4)
        continue
      const list = listFields.get(arcs[3]!)
      if (list !== undefined) lists.set(list, [...(lists.get(list) ?? []), text])
      else if (arcs[3] === 3) single.CommonName = text
      else if (arcs[3] === 5) single.SerialNumber = text
    }
  }
  const result = new RegoObject(
    [...listFields.values()].map((field) => [field, lists.get(field) ?? null]),
  )
  return result
    .set('CommonName', single.CommonName)
    .set('SerialNumber', single.SerialNumber)
    .set('Names', names.length === 0 ? null : names)
    .set('ExtraNames', null)
}

export interface Extension {
  readonly id: readonly number[]
  readonly critical: boolean
  readonly value: Buffer
}

export function readExtensions(node: DerNode): readonly Extension[] {
  return childrenOf(node).map((extension) => {
    const parts = childrenOf(extension)
    const critical = parts[1]?.tag === tags.boolean && parts[1].content[0] !== 0
    const value = need(parts.at(-1), tags.octetString).content
    return { id: oidOf(need(parts[0])), critical, value }
  })
}

export function extensionValue({ id, critical, value }: Extension): Value {
  return new RegoObject([
    ['Id', id],
    ['Critical', critical],
    ['Value', value.toString('base64')],
  ])
}

const signatureAlgorithms = new Map([
  ['1.2.840.113549.1.1.4', 2],
  ['1.2.840.113549.1.1.5', 3],
  ['1.3.14.3.2.29', 3],
  ['1.2.840.113549.1.1.11', 4],
  ['1.2.840.113549.1.1.12', 5],
  ['1.2.840.113549.1.1.13', 6],
  ['1.2.840.10040.4.3', 7],
  ['2.16.840.1.101.3.4.3.2', 8],
  ['1.2.840.10045.4.1', 9],
  ['1.2.840.10045.4.3.2', 10],
  ['1.2.840.10045.4.3.3', 11],
  ['1.2.840.10045.4.3.4', 12],
  ['1.3.101.112', 16],
])
const pssHashes = new Map([
  ['2.16.840.1.101.3.4.2.1', 13],
  ['2.16.840.1.101.3.4.2.2', 14],
  ['2.16.840.1.101.3.4.2.3', 15],
])

/** Go's number of a signature algorithm; 0 when it is not known. */
export function signatureAlgorithm(node: DerNode): number {
  const [id, parameters] = childrenOf(node)
  const name = oidOf(need(id)).join('.')
  if (name !== '1.2.840.113549.1.1.10' || parameters?.tag !== tags.sequence) {
    return signatureAlgorithms.get(name) ?? 0
  }
  const hash = childrenOf(parameters).find((part) => part.tag === 0xa0)
  if (hash === undefined) return 0
  const [algorithm] = childrenOf({ ...hash, tag: tags.sequence })
  const [hashId] = childrenOf(need(algorithm))
  return pssHashes.get(oidOf(need(hashId)).join('.')) ?? 0
}

/** Go's number of a public key algorithm. */
export const publicKeyAlgorithms = new Map([
  ['1.2.840.113549.1.1.1', 1],
  ['1.2.840.10040.4.1', 2],
  ['1.2.840.10045.2.1', 3],
  ['1.3.101.112', 4],
  ['1.3.101.110', 5],
])
