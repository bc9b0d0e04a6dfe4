/**
 * The `outbound` section of the configuration: the mesh services that the application may call, and how.
 *
 * Read by the outbound line. Whether two services claim one host or one port is checked by `config/`.
 */
import { z } from 'zod'
import { policyChoice, rateLimit } from '../stages/section.ts'
import { address, duration } from '../units.ts'

const spiffeId = z.string().regex(/^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)+$/, {
  error: 'expected a SPIFFE ID such as spiffe://shop.local/ns/shop/sa/payments',
})

const service = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
        error: 'expected a name of letters, digits, dots, dashes and underscores',
      })
      .describe('Name in metrics, spans and records'),
    hosts: z
      .array(
        z.string().regex(/^[a-z0-9.-]+$/, {
          error: 'expected a host in lower case such as payments.shop.svc',
        }),
      )
      .default([])
      .describe('Hosts by which the application calls it; its `name` when empty'),
    addresses: z
      .array(address())
      .min(1)
      .optional()
      .describe('Addresses of its sidecars; this or `dns`'),
    dns: address()
      .optional()
      .describe('Name and port whose addresses are its sidecars; this or `addresses`'),
    spiffe_id: spiffeId.describe('Identity that the peer must prove'),
    protocol: z
      .enum(['same', 'http1', 'http2'])
      .default('same')
      .describe(
        'Protocol towards its sidecar: `same` as the request of the application, or always one; gRPC needs HTTP/2',
      ),
    listen: address()
      .optional()
      .describe('Loopback address of its own, for an application that cannot use a proxy'),
    timeouts: z
      .strictObject({
        connect: duration().prefault('1s').describe('Time to connect, TLS handshake included'),
        request: duration().prefault('15s').describe('Time for the whole answer'),
      })
      .prefault({})
      .describe('How long to wait'),
    retry: z
      .strictObject({
        attempts: z
          .int()
          .min(0)
          .max(5)
          .default(1)
          .describe('Further attempts where a repeat is safe; 0 never repeats'),
      })
      .prefault({})
      .describe('Repeats of requests that did not reach the peer'),
    outlier: z
      .strictObject({
        consecutive_failures: z
          .int()
          .min(1)
          .default(5)
          .describe('Failures in a row after which an address is left out'),
        ejection: duration().prefault('30s').describe('Time that an address is left out'),
        max_ejected_percent: z
          .int()
          .min(0)
          .max(100)
          .default(50)
          .describe('Share of the addresses that may be left out at once'),
      })
      .prefault({})
      .describe('When an address that fails is left out'),
    pool: z
      .strictObject({
        max_connections: z
          .int()
          .min(1)
          .default(100)
          .describe('Connections to each address at most'),
        idle: duration().prefault('4s').describe('Time after which an unused connection is closed'),
      })
      .prefault({})
      .describe('Connections that are kept'),
    forward_user_token: z.boolean().default(true).describe('Pass the token of the end user on'),
    policy: policyChoice('data.sallyport.outbound.allow'),
    limit: rateLimit.optional(),
  })
  .refine((value) => (value.addresses === undefined) !== (value.dns === undefined), {
    error: 'expected either `addresses` or `dns`',
  })
  .describe('One mesh service')

/** The mesh services that the application may call. */
export const outboundSection = z
  .strictObject({
    services: z
      .array(service)
      .default([])
      .describe('Mesh services that the application may call; any other is refused'),
  })
  .prefault({})
  .describe('What goes out to the mesh')

/** The settings of the outbound line as the sidecar uses them. */
export type OutboundSection = z.output<typeof outboundSection>
/** One mesh service that the application may call. */
export type OutboundService = OutboundSection['services'][number]
