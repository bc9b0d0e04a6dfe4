/** Server-side request forgery through the app: every way to make the sidecar call an address that is not a third party. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  cardsEntryText,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

const entry = (name: string) => `name: ${name}
owner: group:payments
purpose: a stand-in for tests
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:{port}', '${name}.test:80', '${name}.test:443']
operations: [GET /]
review_by: '2099-01-01'
tls: {ca: ../vendor.crt}
`

/** Names of a vendor that lead inside. */
const inside: Readonly<Record<string, string>> = {
  loopback: '127.0.0.1',
  'loopback-far': '127.9.9.9',
  private10: '10.0.0.1',
  private172: '172.16.0.1',
  private192: '192.168.1.1',
  metadata: '169.254.169.254',
  'link-local': '169.254.1.1',
  'carrier-nat': '100.64.0.1',
  unspecified: '0.0.0.0',
  multicast: '224.0.0.1',
  broadcast: '255.255.255.255',
  benchmarking: '198.18.0.1',
  documentation: '192.0.2.1',
}

const modes = ['enforce', 'observe'] as const

for (const mode of modes) {
  describe(`a host that leads inside, in ${mode} mode`, () => {
    let vendor: TestVendor
    let app: EgressSidecar

    beforeAll(async () => {
      vendor = await startTestVendor([
        ...Object.keys(inside).map((name) => `${name}.test`),
        'api.cards.test',
      ])
      app = await startEgressSidecar({
        vendor,
        names: Object.fromEntries(
          Object.entries(inside).flatMap(([name, address]) => [
            [`${name}.test`, address],
            [`undeclared-${name}.test`, address],
          ]),
        ),
        apis: `    mode: ${mode}`,
        entries: {
          cards: cardsEntryText(),
          ...Object.fromEntries(Object.keys(inside).map((name) => [name, entry(name)])),
        },
      })
    })

    afterAll(async () => {
      await app.stop()
      vendor.close()
    })

    it('is reached when it is declared with its range, so that the refusals below mean something', async () => {
      const answer = await app.call('GET', 'http://api.cards.test:{port}/v1/charges/ch_1')
      expect(answer.status).toBe(200)
      vendor.calls.length = 0
    })

    for (const [name, address] of Object.entries(inside)) {
      it(`is refused although it is declared: ${name}, ${address}`, async () => {
        const answer = await app.call('GET', `http://${name}.test:{port}/`)
        expect(answer.status).toBe(403)
        expect(answer.problem['code']).toBe('api.address')
        expect(vendor.calls).toHaveLength(0)
      })
    }

    it('is refused when nothing declares it', async () => {
      for (const name of Object.keys(inside)) {
        const answer = await app.call('GET', `http://undeclared-${name}.test:{port}/`)
        expect(answer.status).toBe(403)
        expect(answer.problem['code']).toBe(mode === 'observe' ? 'api.address' : 'api.undeclared')
      }
      expect(vendor.calls).toHaveLength(0)
    })

    const spellings = [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '169.254.169.254',
      'api.cards.test@127.0.0.1',
      '127.0.0.1#.cards.test',
      '127.0.0.1\\.cards.test',
      'api.cards.test%00.evil.test',
      'api。cards。test',
      '①②⑦.0.0.1',
    ]
    for (const host of spellings) {
      it(`is refused when it is written as ${host}`, async () => {
        const status = await rawStatus(app.port, `${host}:${vendor.port}`)
        expect(status).toBeGreaterThanOrEqual(400)
        expect(status).toBeLessThan(500)
        expect(vendor.calls).toHaveLength(0)
      })
    }

    it('is refused when URL and Host name different ones', async () => {
      const status = await rawStatus(app.port, `api.cards.test:${vendor.port}`, '127.0.0.1')
      expect(status).toBe(421)
    })
  })
}

/** Sends a request for that host to the letter; the status of the answer. */
const rawStatus = (port: number, host: string, hostField = host): Promise<number> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)))
    socket.write(`GET http://${host}/ HTTP/1.1\r\nHost: ${hostField}\r\nConnection: close\r\n\r\n`)
  })
