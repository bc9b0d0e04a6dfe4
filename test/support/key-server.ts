/**
 * A real HTTP server for key documents whose next answers a test decides, and a plain fetch function to reach it.
 */
import { createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FetchDocument } from '../../src/token/verified-token.ts'

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export const json =
  (body: string | (() => string), contentType = 'application/json'): Answer =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': contentType })
    response.end(typeof body === 'string' ? body : body())
  }

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_request, response) => {
    response.writeHead(code, headers)
    response.end()
  }

/** Accepts the request and never answers. */
export const silence: Answer = () => undefined

export class KeyServer {
  readonly requests: string[] = []
  readonly #answers = new Map<string, Answer>()
  readonly #server = createServer((incoming, response) => {
    const path = incoming.url ?? ''
    this.requests.push(path)
    const answer = this.#answers.get(path)
    if (answer === undefined) status(404)(incoming, response)
    else answer(incoming, response)
  })
  #port = 0

  on(path: string, answer: Answer): this {
    this.#answers.set(path, answer)
    return this
  }

  /** Listens; the second time on the same port as the first. */
  start(): Promise<this> {
    return new Promise((resolve) => {
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#port = (this.#server.address() as AddressInfo).port
        resolve(this)
      })
    })
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.#port}${path}`
  }

  count(path: string): number {
    return this.requests.filter((one) => one === path).length
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }
}

/** Fetches as the guarded way out does: no redirects, a size limit, an end on abort. */
export const plainFetch: FetchDocument = (url, { maxBytes, signal }) =>
  new Promise((resolve, reject) => {
    const outgoing = request(url, { signal, agent: false }, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        chunks.push(chunk)
        if (length > maxBytes)
          outgoing.destroy(Object.assign(new Error('too large'), { code: 'too-large' }))
      })
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'],
          body: Buffer.concat(chunks),
        }),
      )
      response.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
