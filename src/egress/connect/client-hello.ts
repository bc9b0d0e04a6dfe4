/**
 * Reads the server name out of a TLS ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), for a tunnel that is not opened up.
 *
 * Sees the outer name only: with Encrypted ClientHello the true one is inside, so a hello that offers it is refused
 * here. It judges nothing else of the handshake.
 */

/** What the first bytes of a connection are. */
export type HelloReading =
  | { readonly kind: 'more' }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'refused'; readonly detail: string }

/** Longest ClientHello that is waited for, in bytes. */
export const longestHello = 16 * 1024

const refused = (detail: string): HelloReading => ({ kind: 'refused', detail })
const more: HelloReading = { kind: 'more' }

const handshakeRecord = 0x16
const clientHello = 1
const serverNameExtension = 0
const encryptedHelloExtension = 0xfe0d

/** Reads as far as the bytes go; `more` asks for further ones. Never throws. */
export const readClientHello = (bytes: Buffer): HelloReading => {
  const handshake = joinRecords(bytes)
  if (!Buffer.isBuffer(handshake)) return handshake
  if (handshake.length >= 1 && handshake[0] !== clientHello)
    return refused('the first message is not a ClientHello')
  if (handshake.length < 4) return more
  const length = handshake.readUIntBE(1, 3)
  if (length > longestHello) return refused('the ClientHello is too long')
  if (handshake.length < 4 + length) return more
  try {
    return readNames(handshake.subarray(4, 4 + length))
  } catch {
    return refused('the ClientHello is malformed')
  }
}

/** A hello may be cut into several records; their payloads together are the message. */
const joinRecords = (bytes: Buffer): Buffer | HelloReading => {
  const parts: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    if (bytes[at] !== handshakeRecord) return refused('the tunnel does not begin with TLS')
    if (bytes.length < at + 5) break
    if (bytes[at + 1] !== 3) return refused('the tunnel does not begin with TLS')
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || length > longestHello + 256) return refused('the TLS record is malformed')
    parts.push(bytes.subarray(at + 5, at + 5 + length))
    if (bytes.length < at + 5 + length) break
    at += 5 + length
  }
  if (bytes.length > longestHello) return refused('the ClientHello is too long')
  return Buffer.concat(parts)
}

/** Walks to the extensions. A read beyond the end throws, which the caller takes as malformed. */
const readNames = (body: Buffer): HelloReading => {
  let at = 2 + 32
  at += 1 + body.readUInt8(at)
  at += 2 + body.readUInt16BE(at)
  at += 1 + body.readUInt8(at)
  if (at === body.length) return refused('the ClientHello names no server')
  const end = at + 2 + body.readUInt16BE(at)
  if (end !== body.length) return refused('the ClientHello is malformed')
  at += 2
  let name: string | undefined
  while (at < end) {
    const kind = body.readUInt16BE(at)
    const length = body.readUInt16BE(at + 2)
    const value = body.subarray(at + 4, at + 4 + length)
    if (value.length !== length) return refused('the ClientHello is malformed')
    if (kind === encryptedHelloExtension)
      return refused('the ClientHello is encrypted, so its server name cannot be checked')
    if (kind === serverNameExtension) {
      if (name !== undefined) return refused('the ClientHello names the server twice')
      name = readServerName(value)
      if (name === undefined) return refused('the server name of the ClientHello is malformed')
    }
    at += 4 + length
  }
  return name === undefined
    ? refused('the ClientHello names no server')
    : { kind: 'name', name: name.toLowerCase() }
}

/** RFC 6066 §3: a list with exactly one name of type host_name; ASCII without a final dot. */
const readServerName = (value: Buffer): string | undefined => {
  if (value.length < 5 || value.readUInt16BE(0) !== value.length - 2) return undefined
  const length = value.readUInt16BE(3)
  if (value[2] !== 0 || length !== value.length - 5) return undefined
  const name = value.toString('latin1', 5)
  return /^[A-Za-z0-9._-]{1,253}$/.test(name) && !name.endsWith('.') ? name : undefined
}
