/** Rate, concurrency, quota, time, retries and breaker of an entry. Shape and defaults only; `limits/` applies them. */
import { z } from 'zod'
import { duration } from '../../units.ts'

const count = z.int().positive()

/** The `limits` part of an entry; each holds per API and caller. */
export const limits = z
  .strictObject({
    rate: z
      .strictObject({
        requests: count.describe('Requests allowed…'),
        per: duration().prefault('1s').describe('…in this time.'),
        burst: count.default(1).describe('Requests that may come at once.'),
        queue: z.int().nonnegative().default(0).describe('Requests that may wait for their turn.'),
        wait: duration().prefault('1s').describe('Longest wait in the queue.'),
      })
      .optional()
      .describe('Rate limit (GCRA).'),
    concurrency: z
      .strictObject({
        requests: count.describe('Requests in flight.'),
        queue: z.int().nonnegative().default(0).describe('Requests that may wait.'),
        wait: duration().prefault('1s').describe('Longest wait in the queue.'),
      })
      .optional()
      .describe('Concurrency limit.'),
    priority: z
      .record(z.string(), z.int().min(0).max(9))
      .default({})
      .describe(
        'Operation id or caller (SPIFFE ID) to priority in the queues; 0 goes first; default 5.',
      ),
    daily_quota: count.optional().describe('Requests per UTC day.'),
    connect_timeout: duration().prefault('5s').describe('Longest time to connect, TLS included.'),
    first_byte_timeout: duration()
      .prefault('15s')
      .describe('Longest time to the first byte of the answer.'),
    total_timeout: duration().prefault('1m').describe('Longest time for the whole call.'),
    retry: z
      .strictObject({
        attempts: z.int().min(1).max(10).default(1).describe('Attempts in all.'),
        budget_percent: z
          .int()
          .min(0)
          .max(100)
          .default(20)
          .describe('Most repeats, as a share of the calls of the last 10 s.'),
        base: duration()
          .prefault('100ms')
          .describe('First pause; doubles with each repeat, with full jitter.'),
        longest: duration()
          .prefault('5s')
          .describe('Longest pause; a longer Retry-After ends the repeats.'),
        statuses: z
          .array(z.int().min(400).max(599))
          .default([429, 502, 503, 504])
          .describe('Statuses that are repeated.'),
      })
      .prefault({})
      .describe('Repeats of idempotent calls.'),
    breaker: z
      .strictObject({
        failures: count.default(5).describe('Failures in a row that open the circuit.'),
        open_for: duration().prefault('30s').describe('Time until a probe is let through.'),
        probes: count.default(1).describe('Successful probes that close it again.'),
      })
      .optional()
      .describe('Circuit breaker.'),
  })
  .prefault({})
  .describe('Limits per API and caller.')

/** Limits of one API; times in milliseconds. */
export type LimitSettings = z.infer<typeof limits>
