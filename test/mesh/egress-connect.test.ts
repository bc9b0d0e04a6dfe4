import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cardsEntryText,
  okAnswer,
  readAnswer,
  startEgressSidecar,
  startTestVendor,
  type AppAnswer,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

const run = promisify(execFile)

/** Sends CONNECT; gives the socket after 200, or the answer that refused. */
const connectVia = (port: number, authority: string): Promise<Socket | AppAnswer> =>
  new Promise((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority },
      agent: false,
    })
    request.on('connect', (response, socket, head: Buffer) => {
      if (response.statusCode === 200) resolve(socket)
      else {
        const chunks: Buffer[] = [head]
        socket.on('data', (chunk: Buffer) => chunks.push(chunk))
        const length = Number(response.headers['content-length'] ?? 0)
        const done = (): void => {
          const bytes = Buffer.concat(chunks)
          if (bytes.length < length) return
          const body = bytes.toString()
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body,
            bytes,
            problem: JSON.parse(body) as Readonly<Record<string, unknown>>,
          })
        }
        socket.on('data', done)
        socket.on('end', done)
        done()
      }
    })
    request.on('response', (response) => readAnswer(response).then(resolve, reject))
    request.on('error', reject)
    request.end()
  })

const opened = async (port: number, authority: string): Promise<Socket> => {
  const answer = await connectVia(port, authority)
  if ('problem' in answer) throw new Error(`refused: ${answer.body}`)
  return answer
}

const refused = async (port: number, authority: string): Promise<AppAnswer> => {
  const answer = await connectVia(port, authority)
  if (!('problem' in answer)) throw new Error('the CONNECT was answered 200')
  return answer
}

/** Shakes hands inside a tunnel. */
const secured = (socket: Socket, servername: string, ca: string | Buffer): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const secure = connectTls({ socket, servername, ca, ALPNProtocols: ['h2', 'http/1.1'] })
    secure.once('secureConnect', () => resolve(secure))
    secure.once('error', reject)
    secure.once('close', () => reject(new Error('closed')))
  })

const ask = (socket: TLSSocket, text: string): Promise<string> =>
  new Promise((resolve) => {
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.on('close', () => resolve(answer))
    socket.write(text)
  })

const get = (host: string, path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`

describe('CONNECT', () => {
  let vendor: TestVendor
  let app: EgressSidecar
  let other: TestVendor

  const plain = (name: string, connect: string, more = '') => `name: ${name}
owner: group:payments
purpose: a stand-in for tests
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:{port}']
connect: ${connect}
operations: [GET /]
review_by: '2099-01-01'
tls: {ca: ../vendor.crt}
${more}`

  beforeAll(async () => {
    vendor = await startTestVendor(['api.cards.test', 'tunnel.test', 'tight.test'])
    other = await startTestVendor(['unseen.test'])
    const names = Object.fromEntries(
      ['tunnel.test', 'plain.test', 'closed.test', 'stranger.test', 'unseen.test'].map((name) => [
        name,
        '127.0.0.1',
      ]),
    )
    app = await startEgressSidecar({
      vendor,
      names,
      egress: '  interception: {ca_file: ca.pem, bundle_file: bundle.pem}',
      entries: {
        cards: cardsEntryText('', 'intercept'),
        tunnel: plain('tunnel', 'tunnel', 'allow_cidrs: [127.0.0.1/32]'),
        plain: plain('plain', 'originate', 'allow_cidrs: [127.0.0.1/32]'),
        closed: plain('closed', 'tunnel'),
        stranger: plain('stranger', 'tunnel').replace('test.mesh/app', 'test.mesh/other'),
      },
    })
  })

  afterEach(() => {
    vendor.calls.length = 0
    vendor.answer = okAnswer
  })

  afterAll(async () => {
    await app.stop()
    vendor.close()
    other.close()
  })

  const at = (host: string): string => `${host}:${vendor.port}`
  /** An intercepted host and a tunnelled one in turn. */
  const turn = (count: number): string => at(count % 2 === 0 ? 'api.cards.test' : 'tunnel.test')
  const ca = (): Buffer => readFileSync(join(app.folder, 'ca.pem'))

  describe('as a tunnel', () => {
    it('passes bytes unread, and its span says how many and no more', async () => {
      const socket = await opened(app.port, at('tunnel.test'))
      const secure = await secured(socket, 'tunnel.test', vendor.authority)
      expect(await ask(secure, get(at('tunnel.test'), '/anything'))).toContain('ch_1')
      expect(vendor.calls[0]!.path).toBe('/anything')
      expect(vendor.calls[0]!.headers.authorization).toBeUndefined()
      await expect
        .poll(() => app.spans().at(-1)!.attributes['sallyport.tunnel.bytes_sent'])
        .toBeGreaterThan(100)
      const span = app.spans().at(-1)!
      expect(span.name).toBe('CONNECT')
      expect(span.attributes).toMatchObject({
        'peer.service': 'tunnel',
        'sallyport.decision': 'allow',
        'server.address': 'tunnel.test',
        'network.peer.address': '127.0.0.1',
      })
      expect(span.attributes['sallyport.tunnel.bytes_received']).toBeGreaterThan(100)
      expect(span.attributes['url.template']).toBeUndefined()
    })

    it('is closed when the handshake names another host, and nothing reaches the vendor', async () => {
      const socket = await opened(app.port, at('tunnel.test'))
      await expect(secured(socket, 'api.cards.test', vendor.authority)).rejects.toThrow()
      expect(vendor.calls).toHaveLength(0)
      await expect
        .poll(() => app.spans().at(-1)!.attributes['sallyport.code'])
        .toBe('api.authority')
    })

    it('is closed when what is inside is not TLS', async () => {
      const socket = await opened(app.port, at('tunnel.test'))
      socket.write(get('tunnel.test', '/'))
      await new Promise((resolve) => socket.once('close', resolve))
      await expect
        .poll(() => app.spans().at(-1)!.attributes['sallyport.code'])
        .toBe('api.authority')
    })

    it('is refused to a guarded address', async () => {
      expect((await refused(app.port, at('closed.test'))).problem['code']).toBe('api.address')
    })

    it('is refused to a caller that the entry does not list', async () => {
      expect((await refused(app.port, at('stranger.test'))).problem['code']).toBe('api.caller')
    })

    it('is refused to an undeclared host, with the lines that would declare it', async () => {
      const answer = await refused(app.port, at('unseen.test'))
      expect(answer.status).toBe(403)
      expect(answer.problem['code']).toBe('api.undeclared')
      expect(answer.problem['add']).toContain('unseen.test')
      expect(app.spans().at(-1)!.attributes['error.type']).toBe('undeclared_host')
    })
  })

  describe('where the entry wants plain HTTP', () => {
    it('is refused with a hint', async () => {
      const answer = await refused(app.port, at('plain.test'))
      expect(answer.problem['code']).toBe('api.connect')
      expect(answer.problem['hint']).toContain('plain HTTP')
    })
  })

  describe('as an interception', () => {
    it('judges the requests inside as any other, and attaches the key', async () => {
      const socket = await opened(app.port, at('api.cards.test'))
      const secure = await secured(socket, 'api.cards.test', ca())
      expect(secure.alpnProtocol).toBe('http/1.1')
      const answer = await ask(secure, get(at('api.cards.test'), '/v1/charges/ch_1'))
      expect(answer).toContain('200 OK')
      expect(vendor.calls[0]!.headers.authorization).toBe('Bearer sk_live_cards_0123456789')
      expect(app.spans().at(-1)!.attributes['url.template']).toBe('/v1/charges/{id}')
    })

    it('refuses an operation inside that the entry does not declare', async () => {
      const socket = await opened(app.port, at('api.cards.test'))
      const secure = await secured(socket, 'api.cards.test', ca())
      const answer = await ask(secure, get(at('api.cards.test'), '/v2/other'))
      expect(answer).toContain('api.operation')
      expect(vendor.calls).toHaveLength(0)
    })

    it('refuses a request inside that names another host', async () => {
      const socket = await opened(app.port, at('api.cards.test'))
      const secure = await secured(socket, 'api.cards.test', ca())
      const answer = await ask(secure, get(at('tunnel.test'), '/'))
      expect(answer).toContain('421')
      expect(answer).toContain('api.authority')
      expect(vendor.calls).toHaveLength(0)
      expect(app.spans().at(-1)!.attributes).toMatchObject({
        'sallyport.code': 'api.authority',
        'sallyport.decision': 'deny',
        'peer.service': 'cards',
      })
      const id = /"id":"([^"]+)"/.exec(answer)![1]
      const decisions = app.sidecar.core.telemetry.audit.recent()
      expect(JSON.stringify(decisions)).toContain(id)
    })

    it('refuses a handshake that names another host', async () => {
      const socket = await opened(app.port, at('api.cards.test'))
      const before = app.spans().length
      await expect(secured(socket, 'tunnel.test', ca())).rejects.toThrow()
      await expect.poll(() => app.spans().length).toBe(before + 1)
      expect(app.spans().at(-1)!.attributes['sallyport.code']).toBe('api.authority')
    })

    it('refuses a handshake that names no host', async () => {
      const socket = await opened(app.port, at('api.cards.test'))
      const before = app.spans().length
      const secure = connectTls({ socket, ca: ca(), checkServerIdentity: () => undefined })
      secure.on('error', () => undefined)
      await new Promise((resolve) => secure.once('close', resolve))
      await expect.poll(() => app.spans().length).toBe(before + 1)
      expect(app.spans().at(-1)!.attributes['sallyport.code']).toBe('api.authority')
      expect(vendor.calls).toHaveLength(0)
    })

    it('survives apps that break off, or speak something else, at any moment', async () => {
      const hello = Buffer.from('160301020001000100', 'hex')
      const starts = [
        Buffer.alloc(0),
        hello,
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.alloc(9_000, 22),
      ]
      for (let at = 0; at < 24; at += 1) {
        const socket = await opened(app.port, turn(at))
        socket.on('error', () => undefined)
        socket.write(starts[at % starts.length]!)
        if (at % 3 === 0) socket.resetAndDestroy()
        else if (at % 3 === 1) socket.end()
        else setImmediate(() => socket.destroy())
      }
      const socket = await opened(app.port, at('api.cards.test'))
      const secure = await secured(socket, 'api.cards.test', ca())
      expect(await ask(secure, get(at('api.cards.test'), '/v1/charges/ch_1'))).toContain('200 OK')
    })

    it('works for an app that only has the environment of the sidecar', async () => {
      const program = `const response = await fetch('https://api.cards.test:${vendor.port}/v1/charges/ch_1')
process.stdout.write(response.status + ' ' + (await response.text()))`
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
        env: {
          HTTPS_PROXY: `http://127.0.0.1:${app.port}`,
          NODE_USE_ENV_PROXY: '1',
          NODE_EXTRA_CA_CERTS: join(app.folder, 'ca.pem'),
        },
      })
      expect(stdout).toBe('200 {"id":"ch_1"}')
      expect(vendor.calls[0]!.headers.authorization).toBe('Bearer sk_live_cards_0123456789')
    })

    it('shows a certificate of an authority that may vouch for the intercepted hosts alone', async () => {
      const socket = await opened(app.port, at('api.cards.test'))
      const secure = await secured(socket, 'api.cards.test', ca())
      const leaf = secure.getPeerX509Certificate()!
      secure.destroy()
      const authority = new X509Certificate(ca())
      expect(leaf.subjectAltName).toBe('DNS:api.cards.test')
      expect(leaf.checkIssued(authority)).toBe(true)
      expect(authority.ca).toBe(true)
      const day = 24 * 3_600_000
      expect(authority.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(day)
      expect(readFileSync(join(app.folder, 'bundle.pem'), 'utf8')).toContain(ca().toString())
    })
  })
})

describe('CONNECT in observe mode', () => {
  let vendor: TestVendor
  let app: EgressSidecar

  beforeAll(async () => {
    vendor = await startTestVendor(['unseen.test'])
    app = await startEgressSidecar({
      vendor,
      names: { 'unseen.test': '127.0.0.1', 'inner.test': '10.1.2.3' },
      apis: '    mode: observe',
      entries: {},
    })
  })

  afterAll(async () => {
    await app.stop()
    vendor.close()
  })

  it('still never leads to a guarded address', async () => {
    const answer = await refused(app.port, 'inner.test:443')
    expect(answer.problem['code']).toBe('api.address')
    const loopback = await refused(app.port, `unseen.test:${vendor.port}`)
    expect(loopback.problem['code']).toBe('api.address')
  })

  it('passes to a host that nothing declares, with a span that says so', async () => {
    const trial = await startEgressSidecar({
      vendor,
      names: { 'unseen.test': '127.0.0.1' },
      apis: '    mode: observe',
      egress: '  observed: {unsafe_allow_cidrs: [127.0.0.0/8]}',
      entries: {},
    })
    const socket = await opened(trial.port, `unseen.test:${vendor.port}`)
    const secure = await secured(socket, 'unseen.test', vendor.authority)
    expect(await ask(secure, get('unseen.test', '/'))).toContain('ch_1')
    await expect
      .poll(() => trial.spans().at(-1)?.attributes['sallyport.tunnel.bytes_sent'])
      .toBeGreaterThan(0)
    expect(trial.spans().at(-1)!.attributes['peer.service']).toBe('_undeclared')
    await trial.stop()
  })

  it('is not opened for an address literal', async () => {
    const socket = connectTcp(app.port, '127.0.0.1')
    socket.write('CONNECT 1.1.1.1:443 HTTP/1.1\r\nHost: 1.1.1.1:443\r\n\r\n')
    const text = await new Promise<string>((resolve) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    })
    socket.destroy()
    expect(text).toContain('403')
  })
})
