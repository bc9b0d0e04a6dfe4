/** Certificate signing requests (RFC 2986) as the JSON of Go's x509.CertificateRequest. */
import { fromBigInt } from '../../numbers.ts'
import { RegoObject, type Value } from '../../values.ts'
import { addressText, nameFields, urlValue } from './certificate.ts'
import {
  bitsOf,
  childrenOf,
  integerOf,
  need,
  oidOf,
  readAll,
  readDer,
  tags,
  type DerNode,
} from './der.ts'
import {
  extensionValue,
  nameValue,
  readExtensions,
  signatureAlgorithm,
  type Extension,
} from './names.ts'
import { publicKeyValue } from './public-key.ts'

/** @throws DerError */
export function readRequest(bytes: Buffer): Value {
  const node = readDer(bytes)
  const [info, algorithm, signature] = childrenOf(node)
  const [version, subject, keyInfo, attributes] = childrenOf(need(info))
  const publicKey = publicKeyValue(need(keyInfo))
  const extensions = attributes === undefined ? [] : requestedExtensions(attributes)
  const names = alternativeNames(extensions)
  return new RegoObject([
    ['Raw', node.raw.toString('base64')],
    ['RawTBSCertificateRequest', need(info).raw.toString('base64')],
    ['RawSubjectPublicKeyInfo', need(keyInfo).raw.toString('base64')],
    ['RawSubject', need(subject).raw.toString('base64')],
    ['Version', fromBigInt(integerOf(need(version)))],
    ['Signature', bitsOf(need(signature)).toString('base64')],
    ['SignatureAlgorithm', signatureAlgorithm(need(algorithm))],
    ['PublicKeyAlgorithm', publicKey.algorithm],
    ['PublicKey', publicKey.key],
    ['Subject', nameValue(need(subject))],
    ['Attributes', null],
    ['Extensions', extensions.length === 0 ? null : extensions.map(extensionValue)],
    ['ExtraExtensions', null],
    ...[...nameFields.values()].map((field) => [field, names.get(field) ?? null] as const),
  ])
}

/** The attribute 1.2.840.113549.1.9.14 asks for extensions. */
function requestedExtensions(attributes: DerNode): readonly Extension[] {
  return readAll(attributes.content).flatMap((attribute) => {
    const [id, values] = childrenOf(attribute)
    if (oidOf(need(id)).join('.') !== '1.2.840.113549.1.9.14') return []
    return childrenOf(need(values), tags.set).flatMap(readExtensions)
  })
}

function alternativeNames(extensions: readonly Extension[]): Map<string, Value[]> {
  const names = new Map<string, Value[]>()
  const extension = extensions.find(({ id }) => id.join('.') === '2.5.29.17')
  for (const name of extension === undefined ? [] : childrenOf(readDer(extension.value))) {
    const field = nameFields.get(name.tag)
    if (field === undefined) continue
    const text = name.content.toString('latin1')
    const value =
      field === 'IPAddresses' ? addressText(name.content) : field === 'URIs' ? urlValue(text) : text
    names.set(field, [...(names.get(field) ?? []), value])
  }
  return names
}
