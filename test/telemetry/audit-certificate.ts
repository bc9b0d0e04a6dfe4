/** Writes the smallest certificate that can be read back: a self-signed one for a P-256 key, in DER, by hand. */
import { sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

const node = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const length =
    body.length < 0x80
      ? Buffer.from([body.length])
      : Buffer.from([0x82, body.length >> 8, body.length & 0xff])
  return Buffer.concat([Buffer.from([tag]), length, body])
}

const ecdsaWithSha256 = node(0x30, node(0x06, Buffer.from('2a8648ce3d040302', 'hex')))
const name = node(
  0x30,
  node(
    0x31,
    node(0x30, node(0x06, Buffer.from('550403', 'hex')), node(0x0c, Buffer.from('audit'))),
  ),
)
const validity = node(
  0x30,
  node(0x17, Buffer.from('250101000000Z')),
  node(0x17, Buffer.from('350101000000Z')),
)

export const mintCertificate = (publicKey: KeyObject, privateKey: KeyObject): Buffer => {
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const version = node(0xa0, node(0x02, Buffer.from([2])))
  const body = node(
    0x30,
    version,
    node(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    validity,
    name,
    spki,
  )
  const signature = node(0x03, Buffer.from([0]), sign('sha256', body, privateKey))
  return node(0x30, body, ecdsaWithSha256, signature)
}
