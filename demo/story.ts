/**
 * The walk through the demo: what is allowed, what is refused and why, and what changes without a restart. Each step
 * does something for real and looks at what came back; `--check` runs them once and counts.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { hopTokenHeader } from '../src/token/hop/hop-token.ts'
import { HopMinter } from '../src/token/hop/mint.ts'
import { hopSection } from '../src/token/section.ts'
import { userTokenHash } from '../src/stages/user-token-hash.ts'
import { HeaderList } from '../src/wire/headers.ts'
import { issueIdentity } from '../src/identity/sources/authority-folder.ts'
import { callThrough, type Answer } from './services.ts'
import type { DemoMesh } from './mesh.ts'

/** One step: what it shows, and how to see it. Gives a sentence on what happened, or throws. */
export interface Step {
  readonly title: string
  readonly run: (mesh: DemoMesh) => Promise<string>
}

const problemOf = (answer: Answer): Record<string, unknown> =>
  JSON.parse(answer.body) as Record<string, unknown>

const expectRefusal = (answer: Answer, status: number, code: string): Record<string, unknown> => {
  const problem = problemOf(answer)
  if (answer.status !== status || problem['code'] !== code) {
    throw new Error(`expected ${status} ${code}, got ${answer.status} ${answer.body}`)
  }
  return problem
}

const checkout = (mesh: DemoMesh, headers: Readonly<Record<string, string>>): Promise<Answer> =>
  callThrough(mesh.sidecars.edge.addresses.app.port, {
    method: 'GET',
    host: 'web',
    path: '/checkout/7',
    headers,
  })

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

const report = (mesh: DemoMesh): Promise<Answer> =>
  callThrough(mesh.sidecars.edge.addresses.app.port, {
    method: 'GET',
    host: 'web',
    path: '/report',
    headers: bearer(mesh.userToken()),
  })

const allowedCall: Step = {
  title: 'a call through all hops: edge → web → orders → payments → card API',
  run: async (mesh) => {
    const before = mesh.vendor.requests.length
    const answer = await checkout(mesh, bearer(mesh.userToken()))
    const seen = mesh.vendor.requests.slice(before)
    if (answer.status !== 200 || seen.length !== 1) {
      throw new Error(
        `expected 200 and one call at the vendor, got ${answer.status} ${answer.body}`,
      )
    }
    const names = Object.keys(seen[0]!.headers)
    const inside = names.filter((name) => /trace|cookie|sallyport|forwarded/.test(name))
    if (inside.length > 0) throw new Error(`the vendor was told ${inside.join(', ')}`)
    return `200; the vendor saw one call, with the key that only the sidecar holds, and none of our headers`
  },
}

const spans: Step = {
  title: 'every third-party call is a span',
  run: async (mesh) => {
    const { traces } = mesh.sidecars.payments.core.telemetry
    const calls = traces
      .recent()
      .flatMap((trace) => trace.spans)
      .filter((span) => span.attributes['peer.service'] === 'card-api')
    if (calls.length !== mesh.vendor.requests.length) {
      throw new Error(`${mesh.vendor.requests.length} calls, ${calls.length} spans`)
    }
    const { attributes } = calls[0]!
    return `${calls[0]!.name} → card-api, owner ${String(attributes['sallyport.catalog.owner'])}, key ${String(attributes['sallyport.credential.id'])}`
  },
}

const noToken: Step = {
  title: 'no token of a user',
  run: async (mesh) => {
    const answer = await checkout(mesh, {})
    expectRefusal(answer, 401, 'token.missing')
    return `401 token.missing, WWW-Authenticate: ${answer.headers['www-authenticate']}`
  },
}

const otherAudience: Step = {
  title: 'a token that was made for another audience',
  run: async (mesh) => {
    const answer = await checkout(mesh, bearer(mesh.userToken({ aud: 'warehouse' })))
    expectRefusal(answer, 401, 'token.audience')
    return '401 token.audience'
  },
}

/** Speaks to the peer listener of `web` as `mallory`, who has a good certificate, with the hop token of the edge. */
const stolenToken: Step = {
  title: 'a hop token of the edge, presented by another workload',
  run: async (mesh) => {
    const { identity } = mesh.sidecars.edge.core.identity
    const user = mesh.userToken()
    const minter = new HopMinter({
      section: hopSection.parse({}),
      clock: { now: Date.now },
      makeTransactionId: () => randomBytes(16).toString('base64url'),
    })
    const stolen = minter.mint(identity.current, {
      audience: 'spiffe://shop.test/web',
      userTokenHash: userTokenHash(HeaderList.from(bearer(user))),
      chain: [],
      transaction: undefined,
    })
    const folder = join(mesh.state, 'mallory')
    const { port } = mesh.sidecars.web.addresses.peer!
    const answer = await rawRequest(
      connect({
        host: '127.0.0.1',
        port,
        cert: readFileSync(join(folder, 'tls.crt')),
        key: readFileSync(join(folder, 'tls.key')),
        ca: readFileSync(join(folder, 'ca.crt')),
        // The certificate of a peer holds a SPIFFE ID and no host name.
        checkServerIdentity: () => undefined,
      }),
      [
        'GET /checkout/7 HTTP/1.1',
        'Host: web',
        `Authorization: Bearer ${user}`,
        `${hopTokenHeader}: ${stolen}`,
        'Connection: close',
      ],
    )
    if (!answer.startsWith('HTTP/1.1 401') || !answer.includes('token.unbound')) {
      throw new Error(`expected 401 token.unbound, got ${answer.slice(0, 200)}`)
    }
    return '401 token.unbound: the token names the certificate of another connection'
  },
}

const noCertificate: Step = {
  title: 'a peer without a certificate, and one without TLS',
  run: async (mesh) => {
    const { port } = mesh.sidecars.web.addresses.peer!
    const request = ['GET /checkout/7 HTTP/1.1', 'Host: web', 'Connection: close']
    const ca = readFileSync(join(mesh.state, 'web', 'ca.crt'))
    const tls = await rawRequest(
      connect({ host: '127.0.0.1', port, ca, checkServerIdentity: () => undefined }),
      request,
    )
    const plain = await rawRequest(connectPlain(port, '127.0.0.1'), request)
    if (tls.includes('HTTP/1.1') || plain.includes('HTTP/1.1')) {
      throw new Error('an answer was given before the peer was known')
    }
    return 'both connections are closed before a request is read'
  },
}

const deniedRoute: Step = {
  title: 'a route that the policy denies',
  run: async (mesh) => {
    const problem = expectRefusal(await report(mesh), 403, 'policy.denied')
    const rule = problem['rule'] as { file?: string; row?: number; path: string }
    if (rule.file === undefined)
      throw new Error(`the answer names no rule: ${JSON.stringify(rule)}`)
    return `403 policy.denied by ${rule.path} at ${rule.file}:${rule.row}`
  },
}

const undeclaredHost: Step = {
  title: 'a third-party host that nobody declared',
  run: async (mesh) => {
    const answer = await callThrough(mesh.sidecars.payments.addresses.app.port, {
      method: 'GET',
      host: 'api.weather.test',
      path: '/today',
    })
    const problem = expectRefusal(answer, 403, 'api.undeclared')
    if (typeof problem['add'] !== 'string' || !problem['add'].includes('api.weather.test')) {
      throw new Error('the answer does not say what to add')
    }
    return `403 api.undeclared; the answer holds the entry that would declare it:\n${indent(problem['add'])}`
  },
}

const policyEdit: Step = {
  title: 'an edit of a policy changes the answer without a restart',
  run: async (mesh) => {
    const file = join(mesh.state, 'policies', 'inbound.rego')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('input.claims.role == "admin"', 'input.claims.sub == "ada"'))
    const allowed = await waitFor(async () => (await report(mesh)).status !== 403)
    writeFileSync(file, text)
    const denied = await waitFor(async () => (await report(mesh)).status === 403)
    if (!allowed || !denied) throw new Error('the answer did not follow the file')
    return 'denied, edited, allowed, edited back, denied'
  },
}

const rotation: Step = {
  title: 'a certificate is rotated under traffic',
  run: async (mesh) => {
    const { identity } = mesh.sidecars.web.core.identity
    const before = identity.current.serial
    const answers: number[] = []
    const traffic = { running: true }
    const calls = (async () => {
      while (traffic.running) answers.push((await checkout(mesh, bearer(mesh.userToken()))).status)
    })()
    issueIdentity(join(mesh.state, 'certs'), {
      spiffeId: 'spiffe://shop.test/web',
      now: Date.now(),
      into: join(mesh.state, 'web'),
    })
    const rotated = await waitFor(async () => identity.current.serial !== before)
    for (let more = 0; more < 5; more += 1) await checkout(mesh, bearer(mesh.userToken()))
    traffic.running = false
    await calls
    const failed = answers.filter((status) => status !== 200)
    if (!rotated || failed.length > 0) {
      throw new Error(`rotated: ${rotated}, failed requests: ${failed.length} of ${answers.length}`)
    }
    return `serial ${before.slice(0, 8)}… → ${identity.current.serial.slice(0, 8)}…, ${answers.length} requests, none failed`
  },
}

/** The story, in order. */
export const story: readonly Step[] = [
  allowedCall,
  spans,
  noToken,
  otherAudience,
  stolenToken,
  noCertificate,
  deniedRoute,
  undeclaredHost,
  policyEdit,
  rotation,
]

const indent = (text: string): string =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n')

const waitFor = async (condition: () => Promise<boolean>): Promise<boolean> => {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await condition()) return true
    await new Promise((resolve) => setTimeout(resolve, 150))
  }
  return false
}

/** Writes a request and gives all that comes back until the connection ends. */
const rawRequest = (
  socket: ReturnType<typeof connectPlain>,
  lines: readonly string[],
): Promise<string> =>
  new Promise((resolve) => {
    let answer = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(answer))
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    socket.setTimeout(5_000, () => socket.destroy())
  })
