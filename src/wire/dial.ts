/**
 * Opens TCP and TLS connections to an address that was already checked; it resolves nothing.
 *
 * Promises here cost one for each connection. Whether the address may be dialled is `address.ts`'s to say; whose
 * certificate is acceptable is the caller's. A socket that is given out has an error handler.
 */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'
import { sameAddress } from './address.ts'
import { WireError } from './wire-error.ts'

export interface DialOptions {
  /** An address literal. */
  readonly address: string
  readonly port: number
  /** For everything: connecting, and the handshake. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Who must be at the other end. `dns-name`: a certificate for `servername` from an authority of the context.
 * `verified-by`: a certificate that chains to the context, and that `verify` does not throw at.
 */
export type ExpectedPeer =
  | { readonly kind: 'dns-name' }
  | { readonly kind: 'verified-by'; readonly verify: (socket: TLSSocket) => void }

export interface DialTlsOptions extends DialOptions {
  /** Sent as SNI; the name that a `dns-name` peer must prove. Left out when the other end is not named. */
  readonly servername?: string | undefined
  /** Authorities to trust and the certificate to show. */
  readonly secureContext: SecureContext
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Protocols to offer, in order; the one chosen is the socket's `alpnProtocol`. */
  readonly alpn?: readonly string[] | undefined
  readonly peer: ExpectedPeer
}

const ignoreError = (): void => undefined

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

const tcpFault = (error: unknown): WireError => {
  const code = codeOf(error)
  if (code === 'ECONNREFUSED')
    return new WireError('dial-refused', 'nothing listens at the origin', 'safe', error)
  if (code === 'ETIMEDOUT')
    return new WireError('dial-timeout', 'the origin did not answer the connection', 'safe', error)
  return new WireError('dial-failed', 'the origin could not be connected to', 'safe', error)
}

const tlsFault = (error: unknown): WireError => {
  if (error instanceof WireError) return error
  const detail = codeOf(error) || 'no code'
  return new WireError('tls-failed', `the TLS handshake failed: ${detail}`, 'safe', error)
}

/** Waits for one event of a socket, an error, a close, the abort or the time; whatever comes first wins. */
const settled = <S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  options: DialOptions,
  faultOf: (error: unknown) => WireError,
): Promise<S> =>
  new Promise((resolve, reject) => {
    const finish = (error: WireError | undefined): void => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', onAbort)
      socket.removeListener(event, onReady)
      socket.removeListener('error', onError)
      socket.removeListener('close', onClose)
      if (error === undefined) return resolve(socket)
      socket.destroy()
      reject(error)
    }
    const onReady = (): void => finish(undefined)
    const onError = (error: unknown): void => finish(faultOf(error))
    const onClose = (): void => finish(faultOf(undefined))
    const onAbort = (): void =>
      finish(new WireError('cancelled', 'nobody waits for the connection', 'safe'))
    const timer = setTimeout(
      () =>
        finish(
          new WireError('dial-timeout', 'the origin did not take the connection in time', 'safe'),
        ),
      options.timeoutMs,
    )
    socket.on('error', ignoreError)
    socket.on(event, onReady)
    socket.on('error', onError)
    socket.on('close', onClose)
    options.signal?.addEventListener('abort', onAbort)
    if (options.signal?.aborted === true) onAbort()
  })

/** The socket must be where it was sent: a translated address would undo the check (security: E3). */
const checkRemote = (socket: Socket, address: string): void => {
  const { remoteAddress } = socket
  if (remoteAddress !== undefined && sameAddress(remoteAddress, address)) return
  socket.destroy()
  throw new WireError(
    'address-denied',
    'the connection led to another address than the checked one',
  )
}

/** Connects. Rejects with a WireError: `dial-refused`, `dial-failed`, `dial-timeout`, `address-denied`, `cancelled`. */
export const dialTcp = async (options: DialOptions): Promise<Socket> => {
  if (isIP(options.address) === 0)
    throw new WireError('address-denied', 'only an address can be dialled, not a name')
  const socket = connect({
    host: options.address,
    port: options.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 15_000,
    autoSelectFamily: false,
  })
  await settled(socket, 'connect', options, tcpFault)
  checkRemote(socket, options.address)
  return socket
}

/**
 * Connects and shakes hands; the peer is verified before this resolves. Sessions are never resumed, so every
 * connection proves its peer anew. Rejects as `dialTcp`, or with `tls-failed`, or with what `verify` threw.
 */
export const dialTls = async (options: DialTlsOptions): Promise<TLSSocket> => {
  const started = performance.now()
  const tcp = await dialTcp(options)
  const { peer } = options
  const named = options.servername !== undefined && isIP(options.servername) === 0
  const socket = connectTls({
    socket: tcp,
    secureContext: options.secureContext,
    minVersion: options.minVersion,
    rejectUnauthorized: true,
    ...(named ? { servername: options.servername } : {}),
    ...(options.servername === undefined ? {} : { host: options.servername }),
    ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
    // A peer that is verified by its identity has no DNS name to compare; `verify` below is stricter.
    ...(peer.kind === 'verified-by' ? { checkServerIdentity: () => undefined } : {}),
  })
  const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - started))
  await settled(socket, 'secureConnect', { ...options, timeoutMs }, tlsFault)
  try {
    // A secure context carries versions of its own, and they win over the option of the same name.
    const version = socket.getProtocol()
    if (version !== 'TLSv1.3' && version !== options.minVersion)
      throw new WireError('tls-failed', 'the origin speaks only an older TLS than allowed', 'safe')
    if (!socket.authorized)
      throw new WireError('tls-failed', 'the certificate is not trusted', 'safe')
    if (peer.kind === 'verified-by') peer.verify(socket)
  } catch (error) {
    socket.destroy()
    throw error instanceof WireError
      ? error
      : new WireError('identity-mismatch', 'the origin is not who it must be', 'safe', error)
  }
  return socket
}
