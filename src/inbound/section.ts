/**
 * The `inbound` section of the configuration: the listener that faces the mesh, the application, and the routes to it.
 *
 * Read by the inbound line. That two routes do not shadow each other and that a named token provider exists are checked
 * by `config/`, which sees the whole file.
 */
import { z } from 'zod'
import { templateProblem } from '../stages/path-template.ts'
import { policyChoice, rateLimit } from '../stages/section.ts'
import { tokenRequirement } from '../token/section.ts'
import { address, duration, size } from '../units.ts'

/** A SPIFFE ID, or one that ends in `/*` and stands for every identity below it. */
export const callerPattern = z
  .string()
  .regex(/^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)*(\/\*)?$/, {
    error: 'expected a SPIFFE ID such as spiffe://shop.local/ns/shop/sa/web, or one ending in /*',
  })

const route = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
        error: 'expected a name of letters, digits, dots, dashes and underscores',
      })
      .describe('Name in metrics, spans and records'),
    methods: z
      .array(z.string().regex(/^[A-Z]+$/, { error: 'expected a method in capitals such as GET' }))
      .min(1)
      .optional()
      .describe('Methods that match; every method when absent'),
    path: z
      .string()
      .refine((template) => templateProblem(template) === undefined, {
        error: 'expected a path such as /orders/{id} or /files/{rest*}',
      })
      .describe('Path template: `{x}` is one segment, `{x*}` at the end is the rest'),
    host: z
      .string()
      .regex(/^[a-z0-9.-]+(:\d+)?$/, { error: 'expected a host in lower case such as orders.shop' })
      .optional()
      .describe('Host that matches; any when absent'),
    callers: z
      .array(callerPattern)
      .min(1)
      .optional()
      .describe('Peers that may call; every verified peer when absent, and the policy decides'),
    tokens: tokenRequirement.prefault({}).describe('Tokens that a request must carry'),
    policy: policyChoice('data.sallyport.inbound.allow'),
    limit: rateLimit.optional(),
    upgrade: z
      .array(z.enum(['websocket']))
      .default([])
      .describe('Protocols that this route may upgrade to'),
    timeout: duration().prefault('15s').describe('Time for the whole answer of the application'),
    merge_slashes: z
      .boolean()
      .default(false)
      .describe('Match a path with repeated slashes as if each were one, and forward it so'),
    body_limit: size()
      .optional()
      .describe('Largest request body; unlimited and streamed when absent'),
    with_body: z
      .strictObject({
        limit: size()
          .prefault('64KiB')
          .describe('Largest body that is held for the policy; a larger one is refused'),
      })
      .optional()
      .describe(
        'Hold the request body and give it to the policy; absent means that bodies only stream',
      ),
  })
  .describe('One route to the application')

/** The door that faces the mesh. */
export const inboundSection = z
  .strictObject({
    listen: address()
      .prefault('0.0.0.0:15006')
      .describe('Address that mesh peers connect to with mutual TLS'),
    app: z
      .strictObject({
        address: address().describe('Address of the application beside the sidecar'),
        protocol: z
          .enum(['http1', 'http2'])
          .default('http1')
          .describe(
            'Protocol that the application speaks: HTTP/1.1, or HTTP/2 with prior knowledge, which gRPC needs',
          ),
        connect_timeout: duration().prefault('1s').describe('Time to connect to the application'),
        max_connections: z
          .int()
          .min(1)
          .default(200)
          .describe('Connections to the application at most'),
      })
      .describe('The application'),
    routes: z
      .array(route)
      .default([])
      .describe(
        'What peers may ask for; a literal segment beats `{x}`, which beats `{x*}`, and what no route matches is refused',
      ),
  })
  .describe('What comes in from the mesh; no peer listener when absent')

/** The settings of the inbound line as the sidecar uses them. */
export type InboundSection = z.output<typeof inboundSection>
/** One inbound route. */
export type InboundRoute = InboundSection['routes'][number]
