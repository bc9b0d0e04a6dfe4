/** Opens the doors for the application: the proxy listener, and a port of its own for each service that has one. */
import type { SidecarConfig } from '../config/schema.ts'
import { Refusal } from '../exchange/refusal.ts'
import { openAppListener, type AppListenerParts } from '../listeners/app.ts'
import type { Listener } from '../listeners/listener.ts'
import type { MeshService } from '../outbound/resolve-peer.ts'
import { callerFault } from '../stages/wire-fault.ts'
import type { Address } from '../units.ts'
import type { Core } from './foundation.ts'
import type { Egress } from './egress.ts'
import type { Outbound } from './outbound.ts'

/** The open doors. */
export interface AppDoors {
  readonly app: Listener
  readonly all: readonly Listener[]
  readonly services: Readonly<Record<string, Address>>
}

/** Opens them. Rejects when an address cannot be bound. */
export const openAppDoors = async (
  config: SidecarConfig,
  core: Core,
  outbound: Outbound,
  egress: Egress,
): Promise<AppDoors> => {
  const parts: AppListenerParts = {
    address: config.listeners.app,
    http: core.wire.http,
    now: core.world.now,
    serviceOf: outbound.serviceOf,
    outbound: (x, service) => outbound.handle(x, service as MeshService),
    egress: egress.handle,
    connect: egress.connect,
    faultOf: (error) => callerFault(error) ?? new Refusal('request.malformed'),
    onRefusedHead: core.onRefusedHead,
    onBug: core.onBug,
  }
  const app = await openAppListener(parts)
  const all = [app]
  const services: Record<string, Address> = {}
  try {
    for (const service of outbound.services()) {
      const { listen, name } = service.settings
      if (listen === undefined) continue
      const door = await openAppListener({ ...parts, address: listen }, service)
      all.push(door)
      services[name] = door.address
    }
  } catch (thrown) {
    for (const door of all) {
      door.stopAccepting()
      door.destroy()
    }
    throw thrown
  }
  return { app, all, services }
}
