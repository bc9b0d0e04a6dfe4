/** Certificates of third-party servers, shown in real handshakes: Node judges first, and our verifier after it. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, rootCertificates } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { issueServerCertificate, validFor } from '../../src/identity/authority.ts'
import type { IssuedCertificate } from '../../src/identity/authority.ts'
import { certificatePem } from '../../src/identity/certificate.ts'
import { chainOf } from '../../src/identity/mesh-tls.ts'
import { publicRoots, verifyServer } from '../../src/identity/verify-server.ts'
import type { VerifyServerOptions } from '../../src/identity/verify-server.ts'
import { oid } from '../../src/identity/x509/oids.ts'
import { extension, writeName } from '../../src/identity/x509/write.ts'
import type { SubjectName } from '../../src/identity/x509/write.ts'
import {
  aLeaf,
  aTrustDomain,
  anAuthority,
  issuingFrom,
  replaced,
  without,
} from '../support/certificates.ts'
import type { LeafShape } from '../support/certificates.ts'

const hour = 3_600_000
const vendor = aTrustDomain('vendor.example')
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** What Node and then our verifier say of a server that shows this certificate, asked for this host. */
const outcome = async (
  issued: IssuedCertificate,
  host: string,
  options: VerifyServerOptions = {},
): Promise<string> => {
  const server = createServer({
    cert: issued.chain.map((der) => certificatePem(der)).join(''),
    key: issued.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  const socket = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ca: [certificatePem(vendor.root.certificate.der)],
    // Only the chain is Node's to judge here, so that the name is seen to be ours.
    checkServerIdentity: () => undefined,
  })
  closers.push(() => socket.destroy())
  try {
    await once(socket, 'secureConnect')
  } catch {
    return 'node'
  }
  try {
    return verifyServer(chainOf(socket), host, [vendor.root.certificate], Date.now(), options).host
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}

const server = (...hosts: readonly string[]) =>
  issueServerCertificate(vendor.intermediate, { hosts, validity: validFor(Date.now(), hour) })
const leaf = (names: readonly SubjectName[], shape: LeafShape = {}) =>
  aLeaf(vendor, {
    extensions: (all) => replaced(all, extension.subjectAltName(names, false)),
    ...shape,
  })
const api = 'api.vendor.example'

describe('names of servers', () => {
  it.each<readonly [string, IssuedCertificate, string, string]>([
    ['an exact name', server(api), api, api],
    ['one of several names', server('www.vendor.example', api), api, api],
    ['a wildcard in the first label', server('*.vendor.example'), api, api],
    ['a name in upper case', server('API.Vendor.Example'), api, api],
    ['an ipv4 address', server('192.0.2.1'), '192.0.2.1', '192.0.2.1'],
    ['an ipv6 address', server('2001:db8::1'), '2001:db8:0::1', '2001:db8:0::1'],
  ])('takes %s', async (_name, issued, host, expected) => {
    expect(await outcome(issued, host)).toBe(expected)
  })

  it.each<readonly [string, IssuedCertificate, string]>([
    ['another host', server('www.vendor.example'), api],
    ['a host below the name', server('vendor.example'), api],
    ['a host above the name', server(api), 'vendor.example'],
    ['a wildcard over two labels', server('*.vendor.example'), 'a.api.vendor.example'],
    ['a wildcard for the name itself', server('*.vendor.example'), 'vendor.example'],
    ['a wildcard over a public suffix', server('*.example'), 'vendor.example'],
    ['a wildcard inside a label', server('a*.vendor.example'), api],
    ['a wildcard in the second label', server('api.*.example'), api],
    ['a bare wildcard', server('*'), 'vendor'],
    [
      'a common name without alternative names',
      leaf([{ uri: 'https://api.vendor.example' }], {
        subject: writeName([[oid.commonName, api]]),
      }),
      api,
    ],
    ['an address in a dns name', leaf([{ dns: '192.0.2.1' }]), '192.0.2.1'],
    ['another address', server('192.0.2.1'), '192.0.2.2'],
    ['a host with a dot at its end', server(api), `${api}.`],
    ['a host with a unicode dot', server(api), 'api\u3002vendor.example'],
  ])('refuses %s', async (_name, issued, host) => {
    expect(await outcome(issued, host)).toBe('wrong-host')
  })
})

describe('certificates of servers', () => {
  const names = [{ dns: api }]
  it.each<readonly [string, () => IssuedCertificate, string]>([
    [
      'an authority that stands as a server',
      () =>
        leaf(names, {
          extensions: (all) =>
            replaced(
              replaced(all, extension.subjectAltName(names, false)),
              extension.basicConstraints(true),
            ),
        }),
      'not-a-leaf',
    ],
    [
      'a purpose that is not serving',
      () =>
        leaf(names, {
          extensions: (all) =>
            replaced(
              replaced(all, extension.subjectAltName(names, false)),
              extension.extendedKeyUsage(oid.clientAuth),
            ),
        }),
      'node',
    ],
    [
      'a certificate that is over',
      () =>
        leaf(names, {
          validity: { notBefore: Date.now() - 2 * hour, notAfter: Date.now() - hour },
        }),
      'node',
    ],
    [
      'a leaf that may sign certificates',
      () =>
        leaf(names, {
          extensions: (all) =>
            replaced(
              replaced(all, extension.subjectAltName(names, false)),
              extension.keyUsage('digitalSignature', 'keyCertSign'),
            ),
        }),
      'key-usage',
    ],
    [
      'an unknown authority',
      () =>
        issueServerCertificate(aTrustDomain('vendor.example').intermediate, {
          hosts: [api],
          validity: validFor(Date.now(), hour),
        }),
      'node',
    ],
    ['a serial number of zero', () => leaf(names, { serial: Buffer.from([0]) }), 'malformed'],
    [
      'an authority that is only named for another domain',
      () =>
        aLeaf(
          issuingFrom(
            vendor,
            anAuthority(vendor.root, 'vendor.example', {
              extensions: (all) => [
                ...all,
                extension.nameConstraints([{ dns: 'other.example' }], []),
              ],
            }),
          ),
          { extensions: (all) => replaced(all, extension.subjectAltName(names, false)) },
        ),
      'node',
    ],
  ])('refuses %s', async (_name, issued, expected) => {
    expect(await outcome(issued(), api)).toBe(expected)
  })

  it('holds private authorities to the key ids of rfc 5280, unless it is told to be tolerant', async () => {
    const bare = leaf(names, {
      extensions: (all) =>
        without(replaced(all, extension.subjectAltName(names, false)), oid.authorityKeyIdentifier),
    })
    expect(await outcome(bare, api)).toBe('malformed')
    expect(await outcome(bare, api, { rules: 'tolerant' })).toBe(api)
  })
})

describe('public roots', () => {
  it('are all read', () => expect(publicRoots()).toHaveLength(rootCertificates.length))
})
