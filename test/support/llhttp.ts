/**
 * llhttp, the parser of Node, as undici ships it in WebAssembly and with every lenient flag off: the referee of the
 * differential tests. Whatever our codec accepts, this must accept with the same meaning.
 */
import { createRequire } from 'node:module'

export interface RefereeMessage {
  method: string
  target: string
  /** Name as spelled and value, in order; trailers are not among them. */
  readonly headers: [string, string][]
  body: Buffer
  version: string
  complete: boolean
  keepAlive: boolean
  /** Of an answer; 0 in a request. */
  status: number
}

export interface RefereeVerdict {
  readonly messages: readonly RefereeMessage[]
  /** The name of llhttp's error, or undefined. */
  readonly error: string | undefined
}

/** The part of WebAssembly that is used; its types belong to the browser's library, which is not loaded. */
interface WasmConstructors {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  _initialize(): void
  llhttp_alloc(type: number): number
  llhttp_free(parser: number): void
  malloc(size: number): number
  free(pointer: number): void
  llhttp_execute(parser: number, data: number, length: number): number
  llhttp_finish(parser: number): number
  llhttp_get_method(parser: number): number
  llhttp_get_status_code(parser: number): number
  llhttp_method_name(method: number): number
  llhttp_errno_name(errno: number): number
  llhttp_get_error_pos(parser: number): number
  llhttp_get_http_major(parser: number): number
  llhttp_get_http_minor(parser: number): number
  llhttp_resume_after_upgrade(parser: number): void
}

const requestType = 1
const responseType = 2
const pausedUpgrade = 22

interface Collector {
  messages: RefereeMessage[]
  inValue: boolean
  headersDone: boolean
}

let collector: Collector = { messages: [], inValue: false, headersDone: false }

const current = (): RefereeMessage => collector.messages.at(-1)!

const text = (at: number, length: number): string =>
  Buffer.from(wasm.memory.buffer, at, length).toString('latin1')

const cText = (at: number): string => {
  const bytes = Buffer.from(wasm.memory.buffer, at, 64)
  return bytes.toString('latin1', 0, bytes.indexOf(0))
}

const imports = {
  wasm_on_message_begin: () => {
    collector.messages.push({
      method: '',
      target: '',
      headers: [],
      body: Buffer.alloc(0),
      version: '',
      complete: false,
      keepAlive: false,
      status: 0,
    })
    collector.inValue = true
    collector.headersDone = false
    return 0
  },
  wasm_on_url: (_parser: number, at: number, length: number) => {
    current().target += text(at, length)
    return 0
  },
  wasm_on_status: () => 0,
  wasm_on_header_field: (_parser: number, at: number, length: number) => {
    if (collector.headersDone) return 0
    const { headers } = current()
    if (collector.inValue) headers.push([text(at, length), ''])
    else headers.at(-1)![0] += text(at, length)
    collector.inValue = false
    return 0
  },
  wasm_on_header_value: (_parser: number, at: number, length: number) => {
    if (collector.headersDone) return 0
    current().headers.at(-1)![1] += text(at, length)
    collector.inValue = true
    return 0
  },
  wasm_on_headers_complete: (parser: number, status: number, _upgrade: number, alive: number) => {
    const message = current()
    message.method = cText(wasm.llhttp_method_name(wasm.llhttp_get_method(parser)))
    message.version = `${wasm.llhttp_get_http_major(parser)}.${wasm.llhttp_get_http_minor(parser)}`
    message.keepAlive = alive === 1
    message.status = status
    collector.headersDone = true
    return 0
  },
  wasm_on_body: (_parser: number, at: number, length: number) => {
    const message = current()
    const chunk = Buffer.from(Buffer.from(wasm.memory.buffer, at, length))
    message.body = Buffer.concat([message.body, chunk])
    return 0
  },
  wasm_on_message_complete: () => {
    current().complete = true
    return 0
  },
}

const load = (): Exports => {
  const path = 'undici/lib/llhttp/llhttp-wasm.js'
  const bytes = createRequire(import.meta.url)(path) as Buffer<ArrayBuffer>
  const wasmApi = (globalThis as unknown as { WebAssembly: WasmConstructors }).WebAssembly
  const instance = new wasmApi.Instance(new wasmApi.Module(bytes), { env: imports })
  const exports = instance.exports as Exports
  exports._initialize()
  return exports
}

const wasm = load()

/** Parses the bytes as a server would, in one piece. */
export const referee = (bytes: Buffer): RefereeVerdict => judge(bytes, requestType)

/** Parses the answers to a GET as a client would, in one piece; the connection ends behind them. */
export const refereeOfAnswers = (bytes: Buffer): RefereeVerdict => judge(bytes, responseType)

const judge = (bytes: Buffer, type: number): RefereeVerdict => {
  collector = { messages: [], inValue: true, headersDone: false }
  const parser = wasm.llhttp_alloc(type)
  const memory = wasm.malloc(Math.max(1, bytes.length))
  Buffer.from(wasm.memory.buffer, memory, bytes.length).set(bytes)
  let at = memory
  const end = memory + bytes.length
  let errno = wasm.llhttp_execute(parser, at, end - at)
  while (errno === pausedUpgrade && current().method !== 'CONNECT') {
    at = wasm.llhttp_get_error_pos(parser)
    wasm.llhttp_resume_after_upgrade(parser)
    errno = wasm.llhttp_execute(parser, at, end - at)
  }
  if (type === responseType && errno === 0) errno = wasm.llhttp_finish(parser)
  const error =
    errno === 0 || errno === pausedUpgrade ? undefined : cText(wasm.llhttp_errno_name(errno))
  wasm.free(memory)
  wasm.llhttp_free(parser)
  return { messages: collector.messages, error }
}
