/**
 * What gRPC says in headers about a call: that it is one, which method, how long the caller waits, how it ended.
 *
 * It reads no messages. A value outside the grammar counts as absent, as for any other header that we do not need.
 */
import type { HeaderList } from '../wire/headers.ts'
import type { RequestHead } from '../wire/message.ts'
import type { RequestOptions } from '../wire/origin.ts'

/** True for a gRPC call (gRPC over HTTP/2, "Content-Type"). gRPC-Web is not one. */
export const isGrpcCall = (head: RequestHead): boolean => {
  const type = head.headers.get('content-type')
  return (
    head.version === '2' &&
    type !== undefined &&
    /^application\/grpc(?:$|[+;])/.test(type) &&
    head.method === 'POST'
  )
}

const unitMs = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 } as const

/** The milliseconds of `grpc-timeout`, or undefined. */
export const grpcTimeoutMs = (headers: HeaderList): number | undefined => {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(headers.get('grpc-timeout') ?? '')
  return match === null ? undefined : Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
}

/** How long to wait: as configured, or as long as the gRPC caller waits where that is shorter. */
export const callOptions = (
  head: RequestHead,
  configuredMs: number,
  monotonic: () => number,
): RequestOptions => {
  const timeout = isGrpcCall(head) ? grpcTimeoutMs(head.headers) : undefined
  if (timeout === undefined) return { responseTimeoutMs: configuredMs }
  return {
    responseTimeoutMs: Math.min(configuredMs, timeout),
    deadline: monotonic() + timeout,
  }
}

/** The number of `grpc-status` in a head or in trailers, or undefined. */
export const grpcStatusOf = (fields: HeaderList): number | undefined => {
  const text = fields.get('grpc-status')
  return text !== undefined && /^[0-9]{1,2}$/.test(text) ? Number(text) : undefined
}

const statusNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]

/** The name of a status code, as spans carry it; the number itself for one that has no name. */
export const grpcStatusName = (code: number): string => statusNames[code] ?? String(code)

/** Statuses that a span of the server's end calls an error (semantic conventions, "RPC: Span status"). */
const serverErrors = new Set([2, 4, 12, 13, 14, 15])

/** Whether a span of this kind is marked as failed for the status. */
export const isGrpcError = (kind: 'server' | 'client', code: number): boolean =>
  kind === 'client' ? code !== 0 : serverErrors.has(code)

/** `package.Service/Method` of a path of two segments, or undefined. */
export const grpcMethodOf = (segments: readonly string[]): string | undefined =>
  segments.length === 2 && segments[0] !== '' && segments[1] !== ''
    ? `${segments[0]}/${segments[1]}`
    : undefined
