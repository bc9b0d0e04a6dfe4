/**
 * The `listeners` section of the configuration: the doors that face the application and the orchestrator.
 *
 * Read by `listeners/`; the listener that faces the mesh is `inbound.listen`. That the application's door is on loopback
 * is checked by `config/`.
 */
import { z } from 'zod'
import { address, duration } from '../units.ts'

/** The listeners that face inwards. */
export const listenersSection = z
  .strictObject({
    app: address()
      .prefault('127.0.0.1:15001')
      .describe('Where the application sends what goes out: HTTP proxy, CONNECT and Host routing'),
    health: address()
      .prefault('0.0.0.0:15021')
      .describe(
        'Where the orchestrator asks `/livez`, `/readyz` and `/startupz`; `/drain` from loopback',
      ),
    metrics: address()
      .optional()
      .describe(
        'Where a Prometheus elsewhere reads `/metrics`, and nothing else; only the admin listener has them when absent',
      ),
    unsafe_app_listener_anywhere: z
      .boolean()
      .default(false)
      .describe(
        'Accept an `app` address that other machines can reach; everybody there acts as the application',
      ),
    drain: z
      .strictObject({
        delay: duration().prefault('5s').describe('Time between not ready and no longer accepting'),
        grace: duration().prefault('30s').describe('Time that requests in flight have to finish'),
      })
      .prefault({})
      .describe('How the sidecar stops'),
  })
  .prefault({})
  .describe('Listeners that face the application and the orchestrator')

/** The settings of the listeners as the sidecar uses them. */
export type ListenersSection = z.output<typeof listenersSection>
