/**
 * The `egress` section of the configuration: the catalog of third-party APIs (`apis`), and how it is decided and dialled.
 *
 * Read by the egress line. The entries themselves are files of the catalog; `catalog/` describes them.
 */
import { z } from 'zod'
import { apisSection } from '../catalog/section.ts'
import { policyChoice } from '../stages/section.ts'
import { duration } from '../units.ts'

const cidr = z.string().regex(/^[0-9a-fA-F:.]+\/\d{1,3}$/, {
  error: 'expected an address range such as 203.0.113.0/24',
})

/** The door that faces third parties. */
export const egressSection = z
  .strictObject({
    apis: apisSection,
    policy: policyChoice('data.sallyport.egress.allow'),
    deny_cidrs: z
      .array(cidr)
      .default([])
      .describe('Address ranges that are refused besides the private and reserved ones'),
    timeouts: z
      .strictObject({
        resolve: duration().prefault('5s').describe('Time to resolve a name'),
        connect: duration().prefault('5s').describe('Time to connect, TLS handshake included'),
      })
      .prefault({})
      .describe('How long to wait'),
    interception: z
      .strictObject({
        ca_file: z
          .string()
          .optional()
          .describe(
            'File to write the authority of interception to, for the trust store of the app',
          ),
        bundle_file: z
          .string()
          .optional()
          .describe(
            'File to write the public roots and that authority to, for runtimes that replace their roots',
          ),
        lifetime: duration()
          .prefault('24h')
          .describe(
            'Life of the authority; it is replaced at half of it, and both stay in the files',
          ),
      })
      .prefault({})
      .describe('CONNECT that is opened up, for entries with connect: intercept'),
    tunnels: z
      .strictObject({
        hello_timeout: duration()
          .prefault('10s')
          .describe('Time for the app to begin TLS inside a tunnel'),
        idle_timeout: duration().prefault('5m').describe('Longest silence in both directions'),
        longest: duration().prefault('24h').describe('Longest life of a tunnel'),
      })
      .prefault({})
      .describe('CONNECT that is passed on unread, for entries with connect: tunnel'),
    observed: z
      .strictObject({
        ca: z
          .string()
          .optional()
          .describe('PEM file of authorities to trust besides the system roots'),
        unsafe_allow_cidrs: z
          .array(cidr)
          .default([])
          .describe(
            'Guarded address ranges that undeclared calls may reach; for trials on one machine',
          ),
      })
      .prefault({})
      .describe('Calls that no entry declares, while apis.mode is observe'),
    bypass: z
      .strictObject({
        mode: z
          .enum(['off', 'report', 'enforce'])
          .default('off')
          .describe(
            'Connections of the pod that leave without passing here: not looked for, told, or told and not ready',
          ),
        every: duration().prefault('10s').describe('How often the sockets are looked at'),
        allow_cidrs: z
          .array(cidr)
          .default([])
          .describe('Address ranges that the app may reach directly, such as that of a database'),
      })
      .prefault({})
      .describe('Detector of connections past the sidecar (Linux)'),
    dns_servers: z
      .array(
        z.string().regex(/^[0-9a-fA-F:.[\]]+(:\d{1,5})?$/, { error: 'expected an IP address' }),
      )
      .default([])
      .describe('Resolvers to ask; those of the system when empty'),
  })
  .prefault({})
  .describe('What goes out to third parties')

/** The settings of the egress line as the sidecar uses them. */
export type EgressSection = z.output<typeof egressSection>
