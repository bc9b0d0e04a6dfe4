/**
 * The `admin` section of the configuration: the loopback listener with metrics, dumps and the live feed.
 *
 * Read by `admin/`. That the address is a loopback one is checked by `config/`; there is no way around that check.
 */
import { z } from 'zod'
import { address } from '../units.ts'

/** The listener for operators. */
export const adminSection = z
  .strictObject({
    listen: address()
      .prefault('127.0.0.1:15000')
      .describe('Loopback address of metrics, dumps and the live page'),
    recent: z
      .int()
      .min(0)
      .max(10_000)
      .default(200)
      .describe('Decisions and traces that are kept for the live page'),
  })
  .prefault({})
  .describe('Metrics and insight for operators on this machine')

/** The settings of the admin listener as the sidecar uses them. */
export type AdminSection = z.output<typeof adminSection>
