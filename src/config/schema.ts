/**
 * The whole of `sallyport.yaml`: the sections that the folders export, joined in one strict object.
 *
 * For the loader, the reference and the JSON Schema. A new section is one import and one line here. What needs more
 * than one section to judge is in `checks/`.
 */
import { z } from 'zod'
import { adminSection } from '../admin/section.ts'
import { egressSection } from '../egress/section.ts'
import { identitySection } from '../identity/section.ts'
import { inboundSection } from '../inbound/section.ts'
import { listenersSection } from '../listeners/section.ts'
import { outboundSection } from '../outbound/section.ts'
import { policySection } from '../stages/section.ts'
import { telemetrySection } from '../telemetry/section.ts'
import { tokensSection } from '../token/section.ts'
import { wireSection } from '../wire/section.ts'
import { serviceSection } from './section.ts'

/** The schema of the configuration file. */
export const sidecarSchema = z.strictObject({
  service: serviceSection,
  identity: identitySection,
  inbound: inboundSection.optional(),
  outbound: outboundSection,
  egress: egressSection,
  listeners: listenersSection,
  admin: adminSection,
  tokens: tokensSection.prefault({}).describe('Tokens of end users and of calling sidecars'),
  policy: policySection,
  telemetry: telemetrySection,
  wire: wireSection.prefault({}).describe('Limits and timeouts of connections'),
})

/** The configuration of one sidecar, checked, with defaults filled in; times in milliseconds, sizes in bytes. */
export type SidecarConfig = z.output<typeof sidecarSchema>
