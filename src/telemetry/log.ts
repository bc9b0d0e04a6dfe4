/**
 * JSON lines on standard output, by pino: what happened to the process, and one line for a decision.
 *
 * Used by the composition root and handed to whatever runs beside requests. Stages do not log their refusals; the
 * decision line does. Every field is shortened, freed of control characters and searched for secrets, and a field
 * whose name says that it is a secret is not shown at all. Writing never waits: lines that the output does not take
 * in time are dropped and counted.
 */
import { Writable } from 'node:stream'
import pino from 'pino'
import type { Decision } from './audit/record.ts'
import { isSecretName, printable, redactText } from './redact.ts'
import { redacted } from '../secret.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** What a field of a line may hold; anything else is shown by its kind only. */
export type LogValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Error
  | readonly LogValue[]
  | { readonly [name: string]: LogValue }
  | NodeJS.ArrayBufferView
  | { toJSON(): string }

export type LogFields = Readonly<Record<string, LogValue>>

/** A log; `with` gives one that adds fields to every line. */
export interface Log {
  level: LogLevel
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** Writes one decision, if the configuration asks for decisions of this kind. */
  decision(decision: Decision): void
  with(fields: LogFields): Log
  /** Lines that were lost because the output did not keep up or could not be written. */
  readonly dropped: number
  /** Writes what is buffered, for the end of the process. */
  flush(): Promise<void>
}

/** What a log is made of. */
export interface LogOptions {
  readonly level: LogLevel
  readonly decisions: 'none' | 'denials' | 'all'
  /** Characters of one field. */
  readonly fieldLength: number
  readonly now: () => number
  /** Standard output when absent. */
  readonly output?: Writable | undefined
  /** Bytes that wait for the output before lines are dropped. */
  readonly bufferBytes?: number | undefined
}

const deepest = 4
const mostFields = 64
/** Text is searched for secrets before it is cut; a cut must not hide the shape of one. */
const safeText = (text: string, limit: number): string => printable(redactText(text), limit)

const safeError = (error: Error, limit: number, depth: number): Record<string, unknown> => ({
  type: safeText(error.name, limit),
  message: safeText(error.message, limit),
  ...('code' in error && typeof error.code === 'string'
    ? { code: safeText(error.code, limit) }
    : {}),
  ...(error.cause instanceof Error && depth < deepest
    ? { cause: safeError(error.cause, limit, depth + 1) }
    : {}),
})

const safeValue = (value: unknown, limit: number, depth: number): unknown => {
  if (typeof value === 'string') return safeText(value, limit)
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return value
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object') return `[${typeof value}]`
  if (value instanceof Error) return safeError(value, limit, depth)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= deepest) return '[deeper]'
  if (Array.isArray(value)) {
    return value.slice(0, mostFields).map((item) => safeValue(item, limit, depth + 1))
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return safeValue((value as { toJSON(): unknown }).toJSON(), limit, depth + 1)
  }
  return safeFields(value as Record<string, unknown>, limit, depth + 1)
}

const safeFields = (
  fields: Readonly<Record<string, unknown>>,
  limit: number,
  depth: number,
): Record<string, unknown> => {
  const safe: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields).slice(0, mostFields)) {
    if (value === undefined) continue
    safe[printable(name, 64)] = isSecretName(name) ? redacted : safeValue(value, limit, depth)
  }
  return safe
}

/** Keeps lines in memory while the output is busy, up to a bound, and counts what it must drop. */
class BoundedOutput {
  readonly #output: Writable
  readonly #bound: number
  #waiting = 0
  dropped = 0

  constructor(output: Writable, bound: number) {
    this.#output = output
    this.#bound = bound
    output.on('error', () => {})
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#waiting + bytes > this.#bound || this.#output.destroyed) {
      this.dropped += 1
      return
    }
    this.#waiting += bytes
    this.#output.write(line, (error) => {
      this.#waiting -= bytes
      if (error) this.dropped += 1
    })
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#output.destroyed) resolve()
      else this.#output.write('', () => resolve())
    })
  }
}

class PinoLog implements Log {
  readonly #pino: pino.Logger
  readonly #output: BoundedOutput
  readonly #options: LogOptions

  constructor(logger: pino.Logger, output: BoundedOutput, options: LogOptions) {
    this.#pino = logger
    this.#output = output
    this.#options = options
  }

  get level(): LogLevel {
    return this.#pino.level as LogLevel
  }

  set level(level: LogLevel) {
    this.#pino.level = level
  }

  get dropped(): number {
    return this.#output.dropped
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#write('debug', message, fields)
  }

  info(message: string, fields: LogFields = {}): void {
    this.#write('info', message, fields)
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#write('warn', message, fields)
  }

  error(message: string, fields: LogFields = {}): void {
    this.#write('error', message, fields)
  }

  decision(decision: Decision): void {
    const { decisions } = this.#options
    if (decisions === 'none' || (decisions === 'denials' && decision.decision === 'allow')) return
    const { traceId, spanId, id, decision: word, time: _, ...rest } = decision
    const fields = { decision: word, decision_id: id, trace_id: traceId, span_id: spanId, ...rest }
    this.#write(word === 'allow' ? 'info' : 'warn', 'decision', fields as LogFields)
  }

  with(fields: LogFields): Log {
    const child = this.#pino.child(safeFields(fields, this.#options.fieldLength, 0))
    return new PinoLog(child, this.#output, this.#options)
  }

  flush(): Promise<void> {
    return this.#output.flush()
  }

  #write(level: LogLevel, message: string, fields: LogFields): void {
    if (!this.#pino.isLevelEnabled(level)) return
    const { fieldLength } = this.#options
    this.#pino[level](safeFields(fields, fieldLength, 0), safeText(message, fieldLength))
  }
}

/** Opens the log. Touches nothing of the process but the output. */
export const openLog = (options: LogOptions): Log => {
  const output = new BoundedOutput(
    options.output ?? process.stdout,
    options.bufferBytes ?? 4 * 1024 ** 2,
  )
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(options.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  )
  return new PinoLog(logger, output, options)
}
