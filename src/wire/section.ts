/**
 * The `wire` section of the configuration: limits and timeouts of connections, with safe defaults.
 *
 * Every number here bounds memory or time that a client or an origin can make this process spend.
 */
import { z } from 'zod'
import { duration, size } from '../units.ts'

const count = () => z.number().int().positive()

export const wireLimits = z.strictObject({
  head_size: size()
    .prefault('16KiB')
    .describe('longest head of a request or an answer, in bytes; more is 431'),
  header_count: count()
    .default(100)
    .describe('most header fields in a request or an answer; more is 431'),
  target_size: size()
    .prefault('8KiB')
    .describe('longest request target (path and query); more is 414'),
  path_segments: count()
    .default(256)
    .describe('most segments in a path; more is refused as a bad path'),
  chunk_extension_size: size()
    .prefault('1KiB')
    .describe('most bytes of chunk extensions and trailers in one body; they are read and dropped'),
  body_size: size()
    .optional()
    .describe('longest request body; without it, bodies stream without a limit'),
  buffered_body_size: size()
    .prefault('10MiB')
    .describe('longest body that a stage may hold in memory to look at'),
  pipelined_size: size()
    .prefault('64KiB')
    .describe('bytes of later requests read ahead while one is being answered'),
  requests_per_connection: count()
    .default(10_000)
    .describe('requests after which a client is told to open a new connection'),
  connections: count().default(5_000).describe('most open connections of one listener'),
  informational_responses: count()
    .default(10)
    .describe('most 1xx answers that an origin may send before the final one'),
})

export const wireTimeouts = z.strictObject({
  handshake: duration().prefault('10s').describe('time for a TLS handshake'),
  headers: duration()
    .prefault('10s')
    .describe('time from the first byte of a request to the end of its head'),
  request: duration()
    .prefault('60s')
    .describe('time to receive a whole request; off for routes that stream'),
  stream_idle: duration()
    .prefault('300s')
    .describe('longest silence in the middle of a message, and longest wait for a slow reader'),
  upgraded: duration()
    .prefault('24h')
    .describe('longest life of a connection that became a WebSocket'),
  keep_alive: duration().prefault('65s').describe('time that an idle client connection stays open'),
  linger: duration()
    .prefault('2s')
    .describe(
      'time in which the rest of a refused body is read and dropped, so that the answer arrives',
    ),
  connect_local: duration().prefault('1s').describe('time to connect to the application beside us'),
  connect: duration().prefault('5s').describe('time to connect to a peer or API, TLS included'),
  dns: duration().prefault('5s').describe('time to resolve a name'),
  response: duration()
    .prefault('15s')
    .describe(
      'time from sending a request to the head of its answer, where the route sets no other',
    ),
  upstream_idle: duration()
    .prefault('4s')
    .describe(
      'time that an idle connection to an origin is kept; shorter than the origin keeps it',
    ),
})

export const wirePool = z.strictObject({
  connections_per_origin: count().default(256).describe('most connections to one origin'),
  idle_per_origin: count().default(256).describe('most idle connections kept to one origin'),
  queue_per_origin: z
    .number()
    .int()
    .nonnegative()
    .default(1_000)
    .describe('requests that may wait for a connection; more are refused with 503'),
  queue_timeout: duration()
    .prefault('1s')
    .describe('time that a request may wait for a connection'),
})

export const wireSection = z.strictObject({
  limits: wireLimits.prefault({}).describe('sizes and counts'),
  timeouts: wireTimeouts.prefault({}).describe('times'),
  pool: wirePool.prefault({}).describe('connections to origins'),
  merge_slashes: z
    .boolean()
    .default(false)
    .describe('whether // in a path becomes /; otherwise such a path is forwarded as it came'),
  headers_with_underscores: z
    .enum(['refuse', 'drop', 'unsafe-allow'])
    .default('refuse')
    .describe('what to do with header names that hold _, which many servers read as -'),
})

export type WireSection = z.infer<typeof wireSection>
export type WireLimits = z.infer<typeof wireLimits>
export type WireTimeouts = z.infer<typeof wireTimeouts>
export type PoolLimits = z.infer<typeof wirePool>
