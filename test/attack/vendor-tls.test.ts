/** A third party that cannot prove who it is: nothing of the request, and no key, may reach it. */
import { createServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  issueInterceptionAuthority,
  issueRoot,
  issueServerCertificate,
  validFor,
  type Authority,
} from '../../src/identity/authority.ts'
import { certificatePem } from '../../src/identity/certificate.ts'
import { startEgressSidecar, type EgressSidecar } from '../support/egress-sidecar.ts'

const day = 86_400_000
const now = Date.now()

interface Pretender {
  readonly port: number
  readonly heard: Buffer[]
  close(): void
}

const pretend = (
  authority: Authority,
  hosts: readonly string[],
  validity = validFor(now, day),
  options: { readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2'; readonly ciphers?: string } = {},
): Promise<Pretender> => {
  const { chain, privateKey } = issueServerCertificate(authority, { hosts, validity })
  const heard: Buffer[] = []
  const server = createServer(
    {
      cert: chain.map((der) => certificatePem(der)).join(''),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      ...options,
    },
    (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        heard.push(chunk)
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      })
    },
  )
  server.on('tlsClientError', () => undefined)
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        heard,
        close: () => server.close(),
      }),
    )
  })
}

describe('a vendor that cannot prove who it is', () => {
  const trusted = issueRoot('vendor.test', { notBefore: now - 30 * day, notAfter: now + 30 * day })
  const stranger = issueRoot('vendor.test', validFor(now, day))
  const narrow = issueInterceptionAuthority(['other.test'], validFor(now, day))
  const pretenders: Record<string, Pretender> = {}
  let app: EgressSidecar

  beforeAll(async () => {
    const old = { notBefore: now - 20 * day, notAfter: now - day }
    const future = { notBefore: now + day, notAfter: now + 20 * day }
    Object.assign(pretenders, {
      good: await pretend(trusted, ['good.test']),
      expired: await pretend(trusted, ['expired.test'], old),
      early: await pretend(trusted, ['early.test'], future),
      stranger: await pretend(stranger, ['stranger.test']),
      wrong: await pretend(trusted, ['another.test']),
      apex: await pretend(trusted, ['*.apex.test']),
      address: await pretend(trusted, ['127.0.0.1']),
      constrained: await pretend(narrow, ['constrained.test']),
    })
    const ca = [trusted, narrow].map((one) => certificatePem(one.certificate.der)).join('')
    const vendor = {
      port: 1,
      authority: ca,
      calls: [],
      answer: () => undefined,
      close: () => undefined,
    }
    app = await startEgressSidecar({
      vendor,
      names: Object.fromEntries(
        Object.keys(pretenders).map((name) => [`${name}.test`, '127.0.0.1']),
      ),
      entries: Object.fromEntries(
        Object.entries(pretenders).map(([name, { port }]) => [
          name,
          `name: ${name}
owner: group:payments
purpose: a stand-in for tests
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:${port}']
operations: [GET /]
authentication: {kind: header}
credential: {id: key, from: {file: ../cards.key}}
review_by: '2099-01-01'
tls: {ca: ../vendor.crt}
allow_cidrs: [127.0.0.1/32]
`,
        ]),
      ),
    })
  })

  afterAll(async () => {
    await app.stop()
    for (const one of Object.values(pretenders)) one.close()
  })

  it('is called when it can', async () => {
    const answer = await app.call('GET', `http://good.test:${pretenders['good']!.port}/`)
    expect(answer.status).toBe(200)
    expect(pretenders['good']!.heard).toHaveLength(1)
  })

  const reasons: Readonly<Record<string, string>> = {
    expired: 'its certificate has expired',
    early: 'its certificate is not valid yet',
    stranger: 'no trusted authority vouches for it',
    wrong: 'its certificate names another host',
    apex: 'its wildcard does not cover the apex',
    address: 'its certificate names the address and not the host',
    constrained: 'its authority may not vouch for the name',
  }
  for (const [name, reason] of Object.entries(reasons)) {
    it(`is refused because ${reason}, and hears nothing`, async () => {
      const pretender = pretenders[name]!
      const answer = await app.call('GET', `http://${name}.test:${pretender.port}/`)
      expect(answer.status).toBe(502)
      expect(answer.problem['code']).toBe('api.tls')
      expect(pretender.heard).toHaveLength(0)
      expect(app.spans().at(-1)!.attributes['error.type']).toBe('tls_untrusted')
    })
  }
})
