/**
 * A client of the SPIFFE Workload API over gRPC: streams that come back after every fault, and JWT-SVIDs on request.
 *
 * It carries bytes; what they are worth is judged by whoever reads them. An agent that says the request itself is
 * wrong is not asked again (SPIFFE Workload API §4.2), one that has no identity for us yet is asked with back-off.
 */
import { Client, Metadata, credentials, status } from '@grpc/grpc-js'
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import type { Clock } from '../sources/clock.ts'
import {
  paths,
  readJwtBundlesResponse,
  readJwtSvidResponse,
  readX509SvidResponse,
  securityHeader,
  writeJwtSvidRequest,
} from './messages.ts'
import type { JwtSvid, JwtSvidRequest, X509SvidResponse } from './messages.ts'

/** A call that failed, with the name of its gRPC status. */
export class WorkloadApiError extends Error {
  readonly code: string
  /** True when the same call may succeed later. */
  readonly mayRetry: boolean

  constructor(code: string, detail: string, mayRetry: boolean) {
    super(`the workload api answered ${code}: ${detail}`)
    this.name = 'WorkloadApiError'
    this.code = code
    this.mayRetry = mayRetry
  }
}

const statusName = (code: number): string => status[code] ?? String(code)

const errorOf = (error: ServiceError): WorkloadApiError =>
  new WorkloadApiError(
    statusName(error.code),
    error.details,
    error.code !== status.INVALID_ARGUMENT && error.code !== status.UNIMPLEMENTED,
  )

export interface WorkloadApiClientOptions {
  /** As `endpointTarget` gives it. */
  readonly target: string
  readonly clock: Clock
  /** A number in [0, 1) for jitter. */
  readonly random: () => number
}

/** What a stream tells. `onFault` is followed by another attempt unless `error.mayRetry` is false. */
export interface StreamListener<T> {
  onMessage(message: T): void
  onFault(error: WorkloadApiError): void
}

const firstDelayMs = 1_000
const longestDelayMs = 30_000
const maxMessageBytes = 4 * 1024 * 1024
const unaryTimeoutMs = 5_000

const metadata = (): Metadata => {
  const made = new Metadata()
  made.set(securityHeader.name, securityHeader.value)
  return made
}

const same = (bytes: Buffer): Buffer => bytes

/** One connection to an agent. */
export class WorkloadApiClient {
  readonly #client: Client
  readonly #options: WorkloadApiClientOptions
  readonly #stops = new Set<() => void>()

  constructor(options: WorkloadApiClientOptions) {
    this.#options = options
    this.#client = new Client(options.target, credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.enable_http_proxy': 0,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.keepalive_permit_without_calls': 0,
    })
  }

  /** Our X.509-SVIDs, now and after each change. Returns a function that ends the stream. */
  watchX509Svids(listener: StreamListener<X509SvidResponse>): () => void {
    return this.#watch(paths.fetchX509Svid, readX509SvidResponse, listener)
  }

  /** The JWT bundles of every trust domain that we may trust, by its SPIFFE ID, now and after each change. */
  watchJwtBundles(listener: StreamListener<ReadonlyMap<string, Buffer>>): () => void {
    return this.#watch(paths.fetchJwtBundles, readJwtBundlesResponse, listener)
  }

  /** JWT-SVIDs for these audiences. @throws {WorkloadApiError} */
  fetchJwtSvids(request: JwtSvidRequest): Promise<readonly JwtSvid[]> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        paths.fetchJwtSvid,
        same,
        readJwtSvidResponse,
        writeJwtSvidRequest(request),
        metadata(),
        { deadline: Date.now() + unaryTimeoutMs },
        (error, svids) => {
          if (error) return reject(errorOf(error))
          return resolve(svids ?? [])
        },
      )
    })
  }

  close(): void {
    for (const stop of this.#stops) stop()
    this.#client.close()
  }

  #watch<T>(path: string, read: (message: Buffer) => T, listener: StreamListener<T>): () => void {
    const { clock, random } = this.#options
    let stopped = false
    let failures = 0
    let call: ClientReadableStream<T> | undefined
    let cancelTimer: () => void = () => undefined
    const start = (): void => {
      let over = false
      const current = this.#client.makeServerStreamRequest(
        path,
        same,
        read,
        Buffer.alloc(0),
        metadata(),
      )
      call = current
      const fail = (error: WorkloadApiError): void => {
        if (over || stopped) return
        over = true
        current.cancel()
        listener.onFault(error)
        if (!error.mayRetry || stopped) return
        const delay = Math.min(longestDelayMs, firstDelayMs * 2 ** failures)
        failures += 1
        cancelTimer = clock.after(delay * (0.9 + 0.2 * random()), start)
      }
      current.on('data', (message: T) => {
        if (over || stopped) return
        failures = 0
        listener.onMessage(message)
      })
      current.on('error', (error: ServiceError) => fail(errorOf(error)))
      current.on('end', () => fail(new WorkloadApiError('UNAVAILABLE', 'the stream ended', true)))
    }
    const stop = (): void => {
      stopped = true
      cancelTimer()
      call?.cancel()
      this.#stops.delete(stop)
    }
    this.#stops.add(stop)
    start()
    return stop
  }
}
