/**
 * A small real authorization server: HTTP or mutual TLS, three client authentications, three grants, all checked with
 * jose and node:crypto and nothing of the product. It remembers what it gave and can be told to misbehave.
 */
import { createHash } from 'node:crypto'
import type { KeyObject, X509Certificate } from 'node:crypto'
import { createServer, request as httpRequest } from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer as createTlsServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { jwtVerify } from 'jose'
import type { PostTokenRequest } from '../../src/token/oauth/oauth-client.ts'

export interface AuthorizationSetting {
  readonly clientId: string
  /** Secrets that are accepted at the moment; a rotation has two. */
  secrets: string[]
  readonly publicKey?: KeyObject
  /** SHA-256 thumbprint, hexadecimal, of the certificate that a client must present. */
  readonly certificate?: string
  readonly userKey?: KeyObject
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string }
}

type Misbehaviour = (incoming: IncomingMessage, response: ServerResponse) => void

const verifying = { clockTolerance: '3650 days' }
const bearerType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const answer = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

const readBody = async (incoming: IncomingMessage): Promise<string> => {
  let body = ''
  for await (const chunk of incoming) body += String(chunk)
  return body
}

export class AuthorizationServer {
  readonly forms: URLSearchParams[] = []
  readonly given: string[] = []
  lifetimeSeconds: number | undefined = 100
  #misbehaviour: Misbehaviour | undefined
  readonly #seen = new Set<string>()
  readonly #setting: AuthorizationSetting
  readonly #server
  #port = 0

  constructor(setting: AuthorizationSetting) {
    this.#setting = setting
    const listener: RequestListener = (incoming, response) => void this.#serve(incoming, response)
    this.#server =
      setting.tls === undefined
        ? createServer(listener)
        : createTlsServer(
            { ...setting.tls, requestCert: true, rejectUnauthorized: false },
            listener,
          )
  }

  start(): Promise<this> {
    return new Promise((resolve) => {
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#port = (this.#server.address() as AddressInfo).port
        resolve(this)
      })
    })
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  get url(): string {
    return `${this.#setting.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}/token`
  }

  /** Answers every request so, until it is called with nothing. */
  misbehave(how?: Misbehaviour): void {
    this.#misbehaviour = how
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await readBody(incoming))
    this.forms.push(form)
    if (this.#misbehaviour !== undefined) {
      this.#misbehaviour(incoming, response)
      return
    }
    if (!(await this.#isClient(incoming, form))) {
      answer(response, 401, {
        error: 'invalid_client',
        error_description: `secret-canary ${form.toString()}`,
      })
      return
    }
    const extra = await this.#grant(form)
    if (extra === undefined) {
      answer(response, 400, { error: 'invalid_grant' })
      return
    }
    const token = `at-${this.given.length + 1}`
    this.given.push(token)
    answer(response, 200, {
      access_token: token,
      token_type: 'Bearer',
      ...(this.lifetimeSeconds !== undefined && { expires_in: this.lifetimeSeconds }),
      ...extra,
    })
  }

  async #isClient(incoming: IncomingMessage, form: URLSearchParams): Promise<boolean> {
    const { clientId, certificate, publicKey } = this.#setting
    if (certificate !== undefined) {
      const presented: X509Certificate | undefined = (
        incoming.socket as TLSSocket
      ).getPeerX509Certificate()
      const thumbprint =
        presented === undefined ? '' : createHash('sha256').update(presented.raw).digest('hex')
      return form.get('client_id') === clientId && thumbprint === certificate
    }
    if (publicKey !== undefined && form.get('client_assertion_type') === bearerType) {
      return this.#isAssertion(form.get('client_assertion') ?? '', publicKey, clientId, clientId)
    }
    if (publicKey !== undefined && form.has('assertion')) return true
    const [, encoded = ''] = /^Basic (.+)$/.exec(incoming.headers.authorization ?? '') ?? []
    const [id = '', secret = ''] = Buffer.from(encoded, 'base64').toString().split(':')
    const plain = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))
    return plain(id) === clientId && this.#setting.secrets.includes(plain(secret))
  }

  async #isAssertion(
    jwt: string,
    key: KeyObject,
    issuer: string,
    subject: string,
  ): Promise<boolean> {
    try {
      const { payload } = await jwtVerify(jwt, key, {
        issuer,
        subject,
        audience: this.url,
        requiredClaims: ['exp', 'iat', 'jti'],
        ...verifying,
      })
      // RFC 7523 §3: an assertion is used once.
      const isNew = !this.#seen.has(payload.jti!)
      this.#seen.add(payload.jti!)
      return isNew && payload.exp! - payload.iat! <= 300
    } catch {
      return false
    }
  }

  async #grant(form: URLSearchParams): Promise<object | undefined> {
    const { publicKey, userKey } = this.#setting
    switch (form.get('grant_type')) {
      case 'client_credentials':
        return {}
      case 'urn:ietf:params:oauth:grant-type:jwt-bearer':
        if (publicKey === undefined) return undefined
        return (await this.#isAssertion(
          form.get('assertion') ?? '',
          publicKey,
          'robot@shop.example',
          'boss@vendor.example',
        ))
          ? {}
          : undefined
      case 'urn:ietf:params:oauth:grant-type:token-exchange':
        try {
          if (
            userKey === undefined ||
            form.get('subject_token_type') !== 'urn:ietf:params:oauth:token-type:jwt'
          )
            return undefined
          await jwtVerify(form.get('subject_token') ?? '', userKey, verifying)
          return { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' }
        } catch {
          return undefined
        }
      default:
        return undefined
    }
  }
}

/** Posts as the guarded way out does; `workload` is the certificate presented where the request says so. */
export const plainPost =
  (workload?: { readonly key: string; readonly cert: string }): PostTokenRequest =>
  ({ url, headers, body, clientCertificate }, { signal, maxBytes }) =>
    new Promise((resolve, reject) => {
      const presented =
        clientCertificate === undefined || clientCertificate === 'workload'
          ? clientCertificate === undefined
            ? {}
            : { ...workload }
          : {
              key: clientCertificate.privateKeyPem.reveal(),
              cert: clientCertificate.certificatePem,
            }
      const send = url.startsWith('https:') ? httpsRequest : httpRequest
      const options = {
        method: 'POST',
        signal,
        agent: false as const,
        headers: Object.fromEntries(headers),
        rejectUnauthorized: false,
        ...presented,
      }
      const outgoing = send(url, options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          if (Buffer.concat(chunks).length > maxBytes) outgoing.destroy(new Error('too large'))
        })
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            contentType: response.headers['content-type'],
            retryAfter: response.headers['retry-after'],
            body: Buffer.concat(chunks),
          }),
        )
        response.on('error', reject)
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
