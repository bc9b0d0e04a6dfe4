/**
 * The OTLP exporter of the settings, loaded at the first batch: HTTP with protobuf, or gRPC.
 *
 * Wrapped by `span-gate.ts`. Connects directly, with an agent of its own: never through a proxy of the environment and
 * never through our own app listener. TLS files are read again for every new HTTP connection, so that they may be
 * those of a rotating identity; the gRPC exporter reads them once.
 */
import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { ExportResultCode } from '@opentelemetry/core'
import { BatchSpanProcessor, ConsoleSpanExporter } from '@opentelemetry/sdk-trace'
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { TraceSettings } from './environment.ts'

interface TlsFiles {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

const readTlsFiles = async (paths: TraceSettings['tls']): Promise<TlsFiles> => ({
  ...(paths.ca === undefined ? {} : { ca: await readFile(paths.ca) }),
  ...(paths.certificate === undefined ? {} : { cert: await readFile(paths.certificate) }),
  ...(paths.key === undefined ? {} : { key: await readFile(paths.key) }),
})

/** An agent that reads its certificate again for each connection. */
class RotatingTlsAgent extends HttpsAgent {
  readonly #paths: TraceSettings['tls']

  constructor(paths: TraceSettings['tls']) {
    super({ keepAlive: true, maxCachedSessions: 0 })
    this.#paths = paths
  }

  override createConnection(
    options: ConnectionOptions,
    done?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    void this.#connect(options, done)
    return undefined
  }

  async #connect(
    options: ConnectionOptions,
    done?: (error: Error | null, socket: Duplex) => void,
  ): Promise<void> {
    let files: TlsFiles
    try {
      files = await readTlsFiles(this.#paths)
    } catch (error) {
      done?.(error as Error, undefined as unknown as Duplex)
      return
    }
    done?.(null, connectTls({ ...options, ...files }))
  }
}

const plainHeaders = (settings: TraceSettings): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (const [name, value] of settings.headers) headers[name] = value.reveal()
  return headers
}

const loadHttp = async (settings: TraceSettings): Promise<SpanExporter> => {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto')
  return new OTLPTraceExporter({
    url: settings.url,
    headers: plainHeaders(settings),
    timeoutMillis: settings.timeoutMs,
    compression: settings.compression as never,
    httpAgentOptions: (protocol) =>
      protocol === 'http:'
        ? new HttpAgent({ keepAlive: true })
        : new RotatingTlsAgent(settings.tls),
  })
}

const loadGrpc = async (settings: TraceSettings): Promise<SpanExporter> => {
  const [{ OTLPTraceExporter }, { credentials, Metadata }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-grpc'),
    import('@grpc/grpc-js'),
  ])
  const metadata = new Metadata()
  for (const [name, value] of settings.headers) metadata.set(name, value.reveal())
  const files = await readTlsFiles(settings.tls)
  return new OTLPTraceExporter({
    url: settings.url,
    metadata,
    timeoutMillis: settings.timeoutMs,
    compression: settings.compression as never,
    credentials: settings.url.startsWith('http:')
      ? credentials.createInsecure()
      : credentials.createSsl(files.ca ?? null, files.key ?? null, files.cert ?? null),
  })
}

/** An exporter that is loaded when it is first needed; a failure to load it fails the batch, and is tried again. */
class LazyExporter implements SpanExporter {
  readonly #load: () => Promise<SpanExporter>
  #inner: Promise<SpanExporter> | undefined
  #closed = false

  constructor(load: () => Promise<SpanExporter>) {
    this.#load = load
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    void this.#export(spans, done)
  }

  async #export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): Promise<void> {
    let inner: SpanExporter
    try {
      inner = await (this.#inner ??= this.#load())
    } catch (error) {
      this.#inner = undefined
      done({ code: ExportResultCode.FAILED, error: error as Error })
      return
    }
    inner.export(spans, done)
  }

  async shutdown(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await (await this.#inner)?.shutdown()
  }
}

/** The exporter that the settings name, or undefined for none. */
export const openExporter = (settings: TraceSettings): SpanExporter | undefined => {
  if (settings.exporter === 'none') return undefined
  if (settings.exporter === 'console') return new ConsoleSpanExporter()
  return new LazyExporter(() =>
    settings.protocol === 'grpc' ? loadGrpc(settings) : loadHttp(settings),
  )
}

/** The processor that sends finished spans to `exporter` in batches. It may hold one span more than the gate admits. */
export const batch = (settings: TraceSettings, exporter: SpanExporter): SpanProcessor =>
  new BatchSpanProcessor({
    exporter,
    maxQueueSize: settings.queue + 1,
    maxExportBatchSize: settings.batch,
    scheduledDelayMillis: settings.delayMs,
    exportTimeoutMillis: settings.exportTimeoutMs,
  })
