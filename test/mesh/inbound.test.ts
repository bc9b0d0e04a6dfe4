import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectPlain } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readAll, startInboundSidecar, type InboundSidecar } from '../support/inbound-sidecar.ts'

const routes = `    - {name: get-order, methods: [GET], path: "/orders/{id}"}
    - {name: put-order, methods: [PUT, POST], path: "/orders/{id}"}
    - {name: files, methods: [GET], path: "/files/{rest*}"}
    - {name: admin, methods: [GET], path: "/admin"}
    - {name: only-other, methods: [GET], path: "/other", callers: ["spiffe://test.mesh/other"]}
    - {name: slow, methods: [GET], path: "/slow", timeout: 300ms}
    - {name: limited, methods: [GET], path: "/limited", limit: {rate: 1/h, burst: 2}}
    - {name: shadowed, methods: [GET], path: "/shadowed", policy: {mode: shadow}}
    - {name: open, methods: [GET], path: "/open", tokens: {user: off, caller: off}}
    - {name: scoped, methods: [GET], path: "/scoped", tokens: {requires: {scopes: [manage]}}}
    - name: stepped
      methods: [GET]
      path: /stepped
      tokens: {step_up: {acr: [gold], max_age: 5m}}
    - name: claims
      methods: [GET]
      path: /claims
      tokens: {claim_to_headers: [{claim_name: sub, header_name: x-user}]}
    - {name: judged, methods: [POST], path: "/judged", with_body: {limit: 1KiB}}`

const policy = `default allow := false

allow if input.route.name in {"get-order", "put-order", "files", "only-other", "slow", "limited", "open", "scoped", "stepped", "claims"}

allow := {"allowed": true, "headers": {"x-from-policy": "yes"}} if {
	input.route.name == "judged"
	input.parsed_body.amount < 100
}`

describe('the inbound line', () => {
  let mesh: InboundSidecar

  beforeAll(async () => {
    mesh = await startInboundSidecar({ routes, policy })
  })
  afterAll(() => mesh.stop())
  afterEach(() => mesh.app.clear())

  const seen = () => mesh.app.requests.at(-1)!
  const header = (name: string): string | undefined =>
    seen().headers.find(([each]) => each === name)?.[1]

  it('hands a proven and permitted request to the application', async () => {
    const answer = await mesh.get('/orders/7')
    expect(answer.status).toBe(200)
    expect(seen().target).toBe('/orders/7')
  })

  it('tells the application who called, in the grammar of Envoy, and nobody else may', async () => {
    await mesh.get('/orders/7', [
      'X-Forwarded-Client-Cert: By=x;URI=spiffe://test.mesh/root',
      'X-Sallyport-Caller: spiffe://test.mesh/root',
      'X-Spiffe-Id: spiffe://test.mesh/root',
      'X-Forwarded-For: 10.0.0.1',
      'X-Original-URL: /admin',
      'X-HTTP-Method-Override: DELETE',
    ])
    expect(header('x-forwarded-client-cert')).toMatch(
      /^By=spiffe:\/\/test\.mesh\/app;Hash=[0-9a-f]{64};URI=spiffe:\/\/test\.mesh\/web$/,
    )
    expect(header('x-forwarded-for')).toBe('127.0.0.1')
    for (const name of [
      'x-sallyport-caller',
      'x-sallyport-hop',
      'x-spiffe-id',
      'x-original-url',
      'x-http-method-override',
    ]) {
      expect(header(name), name).toBeUndefined()
    }
  })

  it('answers a route that does not exist with 404 and a wrong method with 405 and Allow', async () => {
    const unknown = await mesh.get('/nowhere')
    expect(unknown.status).toBe(404)
    expect(unknown.body).toContain('route.unknown')
    const token = mesh.userToken()
    const wrong = await mesh.send(
      'web',
      `DELETE /orders/7 HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    )
    expect(wrong.status).toBe(405)
    expect(wrong.head).toMatch(/allow: (get, put, post|put, post, get)/)
    expect(mesh.app.requests).toEqual([])
  })

  it.each([
    ['/files/../admin', 'dot segments'],
    ['/files/%2e%2e/admin', 'encoded dot segments'],
    ['/files/a%2fb', 'an encoded slash'],
    ['/files/a%5cb', 'an encoded backslash'],
    ['/files/a\\b', 'a backslash'],
    ['/files/a%00b', 'an encoded NUL'],
    ['/files/%252e%252e/x', 'a double encoding'],
    ['/files/a;admin=true', '; parameters'],
    ['/files/a%3badmin', 'encoded ; parameters'],
    ['/files/%ff', 'broken UTF-8'],
    ['/files/a#b', 'a fragment'],
  ])('refuses %s: %s', async (path) => {
    const answer = await mesh.get(path)
    expect(answer.status).toBe(400)
    expect(mesh.app.requests).toEqual([])
  })

  it('gives policy and application the same path when slashes repeat', async () => {
    const answer = await mesh.get('/files//a')
    expect([answer.status, seen()?.target]).toEqual([200, '/files//a'])
  })

  it('lets a route name the peers that may call it', async () => {
    expect((await mesh.get('/other', [], 'other')).status).toBe(200)
    const refused = await mesh.get('/other')
    expect(refused.status).toBe(403)
    expect(refused.body).toContain('peer.not-allowed')
  })

  it('refuses a connection without a certificate and one without TLS', async () => {
    const bare = mesh.connectAs(undefined)
    bare.write('GET /open HTTP/1.1\r\nHost: app\r\n\r\n')
    expect(await readAll(bare)).toBe('')
    const plain = connectPlain(mesh.port, '127.0.0.1')
    plain.write('GET /open HTTP/1.1\r\nHost: app\r\n\r\n')
    expect(await readAll(plain as never)).not.toContain('HTTP/1.1 200')
    expect(mesh.app.requests).toEqual([])
  })

  it('demands both tokens, and each for this service', async () => {
    const user = mesh.userToken()
    const ask = async (lines: readonly string[]) =>
      mesh.send(
        'web',
        ['GET /orders/7 HTTP/1.1', 'Host: app', ...lines, 'Connection: close', '', ''].join('\r\n'),
      )
    const hop = `X-Sallyport-Hop: ${await mesh.hopToken('web', user)}`
    const bearer = `Authorization: Bearer ${user}`
    expect((await ask([hop, bearer])).status).toBe(200)
    const code = async (lines: readonly string[]): Promise<string> =>
      String(JSON.parse((await ask(lines)).body)['code'])
    expect(await code([bearer])).toBe('token.missing')
    expect(await code([`X-Sallyport-Hop: ${await mesh.hopToken('web')}`])).toBe('token.missing')
    expect(await code([hop, `Authorization: Bearer ${mesh.userToken({ aud: 'x' })}`])).toBe(
      'token.unbound',
    )
    const foreign = mesh.userToken({ aud: 'another-service' })
    expect(
      await code([
        `X-Sallyport-Hop: ${await mesh.hopToken('web', foreign)}`,
        `Authorization: Bearer ${foreign}`,
      ]),
    ).toBe('token.audience')
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const forged = mesh.userToken({}, stranger)
    expect(
      await code([
        `X-Sallyport-Hop: ${await mesh.hopToken('web', forged)}`,
        `Authorization: Bearer ${forged}`,
      ]),
    ).toBe('token.signature')
    expect(await code([`X-Sallyport-Hop: ${await mesh.hopToken('other', user)}`, bearer])).toBe(
      'token.unbound',
    )
    expect(
      await code([
        `X-Sallyport-Hop: ${await mesh.hopToken('web', user, 'spiffe://test.mesh/other')}`,
        bearer,
      ]),
    ).toBe('token.audience')
  })

  it('refuses two Authorization headers', async () => {
    const answer = await mesh.get('/orders/7', ['Authorization: Bearer x'])
    expect(answer.status).toBe(400)
    expect(mesh.app.requests).toEqual([])
  })

  it('says which scope is missing and how to step up', async () => {
    const scoped = await mesh.get('/scoped')
    expect(scoped.status).toBe(403)
    expect(scoped.head).toContain(
      'www-authenticate: bearer realm="app", error="insufficient_scope"',
    )
    const stepped = await mesh.get('/stepped')
    expect(stepped.status).toBe(401)
    expect(stepped.head).toContain('insufficient_user_authentication')
    expect(stepped.head).toContain('acr_values="gold"')
  })

  it('gives the application the claims of the route, and never those that the peer wrote', async () => {
    await mesh.get('/claims', ['X-User: root'])
    expect(seen().headers.filter(([name]) => name === 'x-user')).toEqual([['x-user', 'ada']])
  })

  it('denies what the policy does not allow, and names the rule', async () => {
    const answer = await mesh.get('/admin')
    expect(answer.status).toBe(403)
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'policy.denied',
      rule: { path: 'data.sallyport.inbound.allow' },
    })
    expect(mesh.app.requests).toEqual([])
  })

  it('records what a shadow rule would deny and lets the request pass', async () => {
    expect((await mesh.get('/shadowed')).status).toBe(200)
    const [last] = mesh.sidecar.core.telemetry.audit.recent()
    expect(last).toMatchObject({ decision: 'would-deny', mode: 'shadow', route: 'shadowed' })
  })

  it('limits the rate of a route and says when to come back', async () => {
    expect((await mesh.get('/limited')).status).toBe(200)
    expect((await mesh.get('/limited')).status).toBe(200)
    const third = await mesh.get('/limited')
    expect(third.status).toBe(429)
    expect(third.head).toMatch(/retry-after: \d+/)
  })

  it('judges a body where the route says so, forwards the bytes it judged, and refuses a larger one', async () => {
    const token = mesh.userToken()
    const hop = await mesh.hopToken('web', token)
    const post = (body: string) =>
      mesh.send(
        'web',
        `POST /judged HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer ${token}\r\nX-Sallyport-Hop: ${hop}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      )
    expect((await post('{"amount": 5}')).status).toBe(200)
    expect(seen().body.toString()).toBe('{"amount": 5}')
    expect(header('x-from-policy')).toBe('yes')
    expect((await post('{"amount": 500}')).status).toBe(403)
    expect((await post(`{"amount": 5, "note": "${'x'.repeat(2_000)}"}`)).status).toBe(413)
    expect(mesh.app.requests).toHaveLength(1)
  })

  it('turns silence, a broken answer and a lost connection of the application into their own codes', async () => {
    const normal = mesh.app.answer
    mesh.app.answer = () => undefined
    const silent = await mesh.get('/slow')
    expect([silent.status, silent.body.includes('app.timeout')]).toEqual([504, true])
    mesh.app.answer = () => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'
    const broken = await mesh.get('/orders/7')
    expect([broken.status, broken.body.includes('app.invalid')]).toEqual([502, true])
    mesh.app.answer = (_, connection) => {
      connection.socket.destroy()
      return undefined
    }
    const lost = await mesh.get('/orders/7')
    expect([lost.status, lost.body.includes('app.reset')]).toEqual([502, true])
    mesh.app.answer = normal
  })

  it('never lets a truncated answer look complete', async () => {
    const normal = mesh.app.answer
    mesh.app.answer = (_, connection) => {
      connection.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')
      return undefined
    }
    const answer = await mesh.get('/orders/7')
    expect(answer.body.length).toBeLessThan(100)
    mesh.app.answer = normal
  })

  it('keeps identity headers that the application sends away from the peer', async () => {
    const normal = mesh.app.answer
    mesh.app.answer = () =>
      'HTTP/1.1 200 OK\r\nx-forwarded-client-cert: a\r\nx-spiffe-id: b\r\nx-fine: c\r\ncontent-length: 2\r\n\r\nok'
    const { head } = await mesh.get('/orders/7')
    expect(head).toContain('x-fine: c')
    expect(head).not.toContain('x-spiffe-id')
    expect(head).not.toContain('x-forwarded-client-cert')
    mesh.app.answer = normal
  })

  it('keeps the last good policy when a file breaks, says so, and takes the mended one', async () => {
    const file = join(mesh.folder, 'policies', 'inbound.rego')
    const good = readFileSync(file, 'utf8')
    const { reload } = mesh.sidecar
    writeFileSync(file, 'package sallyport.inbound\n\nallow if {\n')
    await reload.reload()
    expect(reload.status.current.state).toBe('stale')
    expect(reload.status.current.faults[0]).toMatchObject({ file, line: expect.any(Number) })
    expect((await mesh.get('/orders/7')).status).toBe(200)
    expect(await healthText(mesh)).toContain('stays in force')
    writeFileSync(file, good.replace('"get-order", ', ''))
    await reload.reload()
    expect((await mesh.get('/orders/7')).status).toBe(403)
    writeFileSync(file, good)
    await reload.reload()
    expect((await mesh.get('/orders/7')).status).toBe(200)
  })

  it('writes one audit record and one log line for each decision, without the token', async () => {
    const token = mesh.userToken()
    const before = mesh.sidecar.core.telemetry.audit.recent().length
    await mesh.get('/orders/7')
    expect(mesh.sidecar.core.telemetry.audit.recent().length).toBe(Math.min(before + 1, 200))
    expect(mesh.log.join('\n')).not.toContain(token.split('.')[2])
  })
})

const healthText = async (mesh: InboundSidecar): Promise<string> => {
  const { host, port } = mesh.sidecar.addresses.health
  return (await fetch(`http://${host}:${port}/readyz?verbose`)).text()
}
