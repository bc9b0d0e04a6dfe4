/**
 * Where key set documents come from: a file, a URL, or OpenID discovery.
 *
 * For the key source, which decides when to ask. Network documents come through the function that was given; here the
 * answer is judged: status, media type, size, and that discovery speaks for the issuer that we trust. What the keys are
 * worth is judged elsewhere.
 */
import { open } from 'node:fs/promises'
import type { ProviderSection } from '../section.ts'
import { isJsonObject, parseStrictJson } from '../strict-json.ts'
import type { FetchDocument } from '../verified-token.ts'
import { KeySetError } from './key-set.ts'

/** The most bytes of a key document or a discovery document. */
export const maxDocumentBytes = 1024 * 1024
/** The most time for one load, discovery included, in milliseconds. */
export const loadTimeoutMs = 5_000

/** Loads the bytes of a key set document; rejects with an Error whose message is fit for a log. */
export type LoadKeyDocument = (signal: AbortSignal) => Promise<Uint8Array>

const acceptedTypes = /^application\/(json|jwk-set\+json|[a-z0-9.+-]+\+json)\s*(;|$)/i

const fetchJson = async (
  url: string,
  fetchDocument: FetchDocument,
  signal: AbortSignal,
): Promise<Uint8Array> => {
  const answer = await fetchDocument(url, {
    timeoutMs: loadTimeoutMs,
    maxBytes: maxDocumentBytes,
    signal,
  })
  if (answer.status >= 300 && answer.status < 400)
    throw new KeySetError(
      `the server redirects (${answer.status}); redirects are not followed, configure the final URL`,
    )
  if (answer.status !== 200) throw new KeySetError(`the server answered ${answer.status}`)
  if (answer.body.length > maxDocumentBytes)
    throw new KeySetError(`the document is larger than ${maxDocumentBytes} bytes`)
  if (answer.contentType !== undefined && !acceptedTypes.test(answer.contentType))
    throw new KeySetError('the document is not served as JSON')
  return answer.body
}

/** The key URL that a discovery document names for `issuer` (OpenID Connect Discovery 1.0 §4.3). */
const keyUrlOf = (document: Uint8Array, provider: ProviderSection): string => {
  let metadata: unknown
  try {
    metadata = parseStrictJson(document, 32)
  } catch {
    throw new KeySetError('the discovery document is not acceptable JSON')
  }
  if (!isJsonObject(metadata)) throw new KeySetError('the discovery document is not an object')
  if (metadata['issuer'] !== provider.issuer)
    throw new KeySetError('the discovery document speaks for another issuer')
  const url = metadata['jwks_uri']
  if (typeof url !== 'string' || !URL.canParse(url))
    throw new KeySetError('the discovery document has no jwks_uri')
  const { protocol, hostname, username, password } = new URL(url)
  const isDevelopment =
    provider.unsafe_loopback_http &&
    protocol === 'http:' &&
    ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  if ((protocol !== 'https:' && !isDevelopment) || username !== '' || password !== '')
    throw new KeySetError('the jwks_uri of the discovery document is not https')
  return url
}

const discoveryUrl = (provider: ProviderSection): string =>
  provider.discovery === true || provider.discovery === undefined
    ? `${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    : provider.discovery

const loadFile =
  (path: string): LoadKeyDocument =>
  async () => {
    const file = await open(path).catch((error: NodeJS.ErrnoException) => {
      throw new KeySetError(`the file ${path} cannot be read (${error.code ?? 'unknown'})`)
    })
    try {
      const room = Buffer.alloc(maxDocumentBytes + 1)
      let length = 0
      for (;;) {
        const { bytesRead } = await file.read(room, length, room.length - length, null)
        length += bytesRead
        if (bytesRead === 0 || length === room.length) break
      }
      if (length > maxDocumentBytes)
        throw new KeySetError(`the file ${path} is larger than ${maxDocumentBytes} bytes`)
      return Buffer.from(room.subarray(0, length))
    } finally {
      await file.close()
    }
  }

/** The loader that a provider's configuration asks for. */
export const keyDocumentOf = (
  provider: ProviderSection,
  fetchDocument: FetchDocument,
): LoadKeyDocument => {
  if (provider.jwks_file !== undefined) return loadFile(provider.jwks_file)
  if (provider.jwks_uri !== undefined) {
    const url = provider.jwks_uri
    return (signal) => fetchJson(url, fetchDocument, signal)
  }
  return async (signal) => {
    const metadata = await fetchJson(discoveryUrl(provider), fetchDocument, signal)
    return fetchJson(keyUrlOf(metadata, provider), fetchDocument, signal)
  }
}
