/**
 * One real sidecar in front of a byte-recording application, and peers with real certificates that speak to it in raw
 * HTTP: what a mesh peer can do, to the letter.
 */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { processWorld } from '../../src/compose/world.ts'
import { loadConfig } from '../../src/config/load.ts'
import { identitySection } from '../../src/identity/section.ts'
import { initAuthority, issueIdentity } from '../../src/identity/sources/authority-folder.ts'
import { systemClock } from '../../src/identity/sources/clock.ts'
import { openIdentity } from '../../src/identity/sources/open.ts'
import type { WorkloadIdentity } from '../../src/identity/workload-identity.ts'
import { startSidecar, type Sidecar } from '../../src/sidecar.ts'
import { userTokenHash } from '../../src/stages/user-token-hash.ts'
import { HopMinter } from '../../src/token/hop/mint.ts'
import { hopSection } from '../../src/token/section.ts'
import { HeaderList } from '../../src/wire/headers.ts'
import { startRecordingOrigin, type RecordingOrigin } from './recording-origin.ts'

/** What a test says about its sidecar. */
export interface InboundSetup {
  /** The list under `inbound.routes`, as YAML, each line indented by four spaces. */
  readonly routes: string
  /** The body of `policies/inbound.rego` after its package line; allows everything when absent. */
  readonly policy?: string
  /** Further sections of the configuration, as YAML. */
  readonly more?: string
  /** Another application than the recording one. */
  readonly application?: { readonly port: number; readonly protocol: 'http1' | 'http2' }
}

/** An answer, read. */
export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
  readonly text: string
}

/** A running sidecar with its application. */
export interface InboundSidecar {
  readonly folder: string
  readonly sidecar: Sidecar
  readonly app: RecordingOrigin
  readonly port: number
  readonly log: string[]
  /** A user token; claims given replace the usual ones. */
  readonly userToken: (claims?: Readonly<Record<string, unknown>>, key?: KeyObject) => string
  /** The hop token that the sidecar of `name` would send with this user token. */
  readonly hopToken: (name: string, user?: string, audience?: string) => Promise<string>
  /** Opens a TLS connection as one of the peers `web`, `other`, or without a certificate. */
  readonly connectAs: (name: string | undefined, protocols?: readonly string[]) => TLSSocket
  /** Sends raw bytes over a new connection of a peer and reads until it ends. */
  readonly send: (name: string, text: string) => Promise<RawAnswer>
  /** Sends a well-formed request with both tokens; `lines` are further header lines. */
  readonly get: (path: string, lines?: readonly string[], name?: string) => Promise<RawAnswer>
  stop(): Promise<void>
}

/** Reads all bytes of a socket until it ends. */
export const readAll = (socket: TLSSocket): Promise<string> =>
  new Promise((resolve) => {
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(text))
    socket.setTimeout(10_000, () => socket.destroy())
  })

/** Splits the first answer of a text. */
export const answerOf = (text: string): RawAnswer => {
  const end = text.indexOf('\r\n\r\n')
  const head = end === -1 ? text : text.slice(0, end)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head: head.toLowerCase(),
    body: end === -1 ? '' : text.slice(end + 4),
    text,
  }
}

/** Starts it. The trust domain is `test.mesh`, our id `spiffe://test.mesh/app`. */
export const startInboundSidecar = async (setup: InboundSetup): Promise<InboundSidecar> => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-inbound-'))
  const certs = join(folder, 'certs')
  const now = Date.now()
  initAuthority(certs, { trustDomain: 'test.mesh', now })
  for (const name of ['app', 'web', 'other']) {
    issueIdentity(certs, { spiffeId: `spiffe://test.mesh/${name}`, now, into: join(folder, name) })
  }
  const user = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...user.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }))
  mkdirSync(join(folder, 'policies'))
  writeFileSync(
    join(folder, 'policies', 'inbound.rego'),
    `package sallyport.inbound\n\n${setup.policy ?? 'allow := true'}\n`,
  )
  const app = await startRecordingOrigin()
  const file = join(folder, 'sallyport.yaml')
  writeFileSync(file, configOf(setup, setup.application?.port ?? app.port))
  const log: string[] = []
  const logOutput = new Writable({
    write(chunk: Buffer, _, done) {
      log.push(...chunk.toString('utf8').split('\n').filter(Boolean))
      done()
    },
  })
  const files = { file, environment: {}, now: Date.now }
  const sidecar = await startSidecar({
    loaded: loadConfig(files),
    load: () => loadConfig({ ...files, compiling: 'later' }),
    world: { ...processWorld, environment: {}, logOutput },
  })
  const { port } = sidecar.addresses.peer!
  const identities = new Map<string, Promise<WorkloadIdentity>>()
  const identityOf = (name: string): Promise<WorkloadIdentity> => {
    const known = identities.get(name) ?? readIdentity(join(folder, name))
    identities.set(name, known)
    return known
  }
  const minter = new HopMinter({
    section: hopSection.parse({}),
    clock: { now: Date.now },
    makeTransactionId: () => randomBytes(16).toString('base64url'),
  })
  const userToken: InboundSidecar['userToken'] = (claims = {}, key = user.privateKey) =>
    signToken(key, claims)
  const hopToken: InboundSidecar['hopToken'] = async (name, token, audience) =>
    minter.mint(await identityOf(name), {
      audience: audience ?? 'spiffe://test.mesh/app',
      userTokenHash:
        token === undefined
          ? undefined
          : userTokenHash(HeaderList.from({ authorization: `Bearer ${token}` })),
      chain: [],
      transaction: undefined,
    })
  const connectAs: InboundSidecar['connectAs'] = (name, protocols) => {
    const read = (leaf: string): Buffer => readFileSync(join(folder, name ?? '', leaf))
    return connect({
      host: '127.0.0.1',
      port,
      ca: readFileSync(join(folder, 'web', 'ca.crt')),
      ...(name === undefined ? {} : { cert: read('tls.crt'), key: read('tls.key') }),
      checkServerIdentity: () => undefined,
      ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
    })
  }
  const send: InboundSidecar['send'] = async (name, text) => {
    const socket = connectAs(name)
    const answer = readAll(socket)
    socket.write(Buffer.from(text, 'latin1'))
    return answerOf(await answer)
  }
  return {
    folder,
    sidecar,
    app,
    port,
    log,
    userToken,
    hopToken,
    connectAs,
    send,
    get: async (path, lines = [], name = 'web') => {
      const token = userToken()
      return send(
        name,
        [
          `GET ${path} HTTP/1.1`,
          'Host: app',
          `Authorization: Bearer ${token}`,
          `X-Sallyport-Hop: ${await hopToken(name, token)}`,
          ...lines,
          'Connection: close',
          '',
          '',
        ].join('\r\n'),
      )
    },
    stop: async () => {
      await sidecar.stop()
      await app.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const configOf = (setup: InboundSetup, appPort: number): string => `service: {name: app}
identity: {source: {directory: {path: app}}}
inbound:
  listen: 127.0.0.1:0
  app: {address: "127.0.0.1:${appPort}", protocol: ${setup.application?.protocol ?? 'http1'}}
  routes:
${setup.routes}
tokens:
  providers:
    login: {issuer: "https://login.test", audiences: [app], jwks_file: jwks.json}
listeners: {app: "127.0.0.1:0", health: "127.0.0.1:0", drain: {delay: 0s, grace: 2s}}
admin: {listen: "127.0.0.1:0"}
telemetry: {traces: {exporter: none}, logs: {decisions: all}, audit: {file: audit.jsonl, decisions: all}}
${setup.more ?? ''}
`

const readIdentity = async (path: string): Promise<WorkloadIdentity> => {
  const source = await openIdentity(identitySection.parse({ source: { directory: { path } } }), {
    clock: systemClock,
    random: () => 0.5,
    baseDirectory: '.',
    onEvent: () => undefined,
  })
  source.close()
  return source.identity.current
}

const signToken = (key: KeyObject, claims: Readonly<Record<string, unknown>>): string => {
  const now = Math.floor(Date.now() / 1_000)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = {
    iss: 'https://login.test',
    aud: 'app',
    sub: 'ada',
    scope: 'read write',
    iat: now,
    exp: now + 300,
    ...claims,
  }
  const text = `${part({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })}.${part(payload)}`
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}
