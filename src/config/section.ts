/**
 * The `service` section of the configuration: what the application beside the sidecar is called.
 *
 * Used in telemetry and in messages. It is not an identity: that comes from the certificate alone.
 */
import { z } from 'zod'

const label = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
  error: 'expected a name of lower-case letters, digits and dashes',
})

/** Names of the application. */
export const serviceSection = z
  .strictObject({
    name: label.describe('Name of the application, `service.name` in telemetry'),
    namespace: label
      .optional()
      .describe('Namespace of the application, `service.namespace` in telemetry'),
  })
  .describe('The application beside the sidecar')

/** Names of the application. */
export type ServiceSection = z.output<typeof serviceSection>
