/**
 * Checks that the sections of one file agree: names that are used exist, names and addresses are used once, no route
 * hides another, and doors that must not face the network do not.
 *
 * Looks at no file beside the configuration.
 */
import { isIP } from 'node:net'
import { RouteTable } from '../../inbound/route-table.ts'
import { requirementFaults } from '../../token/section.ts'
import { formatAddress, type Address } from '../../units.ts'
import { formatPath, type ConfigFault, type Path } from '../read/fault.ts'
import type { CheckSubject } from './check.ts'

/** Every disagreement between the sections. */
export const checkReferences = (subject: CheckSubject): readonly ConfigFault[] => [
  ...routeNames(subject),
  ...shadowedRoutes(subject),
  ...routeTokens(subject),
  ...serviceNames(subject),
  ...loopbackDoors(subject),
  ...addressesInUse(subject),
]

const routeNames = (subject: CheckSubject): readonly ConfigFault[] =>
  repeated(subject, subject.config.inbound?.routes ?? [], (route, index) => [
    { value: route.name, path: ['inbound', 'routes', index, 'name'] },
  ])

const serviceNames = (subject: CheckSubject): readonly ConfigFault[] => {
  const services = subject.config.outbound?.services ?? []
  return [
    ...repeated(subject, services, (service, index) => [
      { value: service.name, path: ['outbound', 'services', index, 'name'] },
    ]),
    ...repeated(subject, services, (service, index) =>
      service.hosts.map((host, at) => ({
        value: host,
        path: ['outbound', 'services', index, 'hosts', at],
      })),
    ),
  ]
}

interface Named {
  readonly value: string
  readonly path: Path
}

const repeated = <T>(
  subject: CheckSubject,
  items: readonly T[],
  names: (item: T, index: number) => readonly Named[],
): readonly ConfigFault[] => {
  const first = new Map<string, Path>()
  return items.flatMap((item, index) =>
    names(item, index).flatMap(({ value, path }) => {
      const earlier = first.get(value)
      if (!earlier) first.set(value, path)
      if (!earlier) return []
      return [
        subject.fault(path, {
          expected: 'a name that is used once',
          got: `${JSON.stringify(value)}, which ${formatPath(earlier)} has`,
          hint: 'give one of the two another name',
        }),
      ]
    }),
  )
}

const shadowedRoutes = (subject: CheckSubject): readonly ConfigFault[] => {
  const routes = subject.config.inbound?.routes ?? []
  return new RouteTable(routes).clashes.map(({ first, second }) => {
    const [earlier, route] = [routes[first]!, routes[second]!]
    return subject.fault(['inbound', 'routes', second, 'path'], {
      expected: 'a route that can match',
      got: `${route.path}, whose requests the route ${earlier.name} (${earlier.path}) takes`,
      hint: `give ${route.name} another path, host or method, or remove one of the two`,
    })
  })
}

const routeTokens = (subject: CheckSubject): readonly ConfigFault[] => {
  const { inbound, tokens } = subject.config
  if (!inbound || !tokens) return []
  const known = Object.keys(tokens.providers)
  return inbound.routes.flatMap((route, index) =>
    requirementFaults(route.tokens, tokens).map((sentence) =>
      subject.fault(['inbound', 'routes', index, 'tokens'], {
        expected: 'tokens that can be verified',
        got: sentence.split(/; /)[0]!,
        hint:
          sentence.split(/; /)[1] ??
          `name one of ${known.join(', ')}, or add it to tokens.providers`,
      }),
    ),
  )
}

/** True for an address that only this machine can reach. A name other than `localhost` is not believed. */
export const isLoopback = ({ host }: Address): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

const loopbackDoors = (subject: CheckSubject): readonly ConfigFault[] => {
  const { admin, listeners, outbound } = subject.config
  const exposed = (path: Path, address: Address | undefined, hint: string) =>
    !address || isLoopback(address)
      ? []
      : [
          subject.fault(path, {
            expected: 'a loopback address such as 127.0.0.1',
            got: formatAddress(address),
            hint,
          }),
        ]
  const app = listeners?.unsafe_app_listener_anywhere === true ? undefined : listeners?.app
  return [
    ...exposed(
      ['admin', 'listen'],
      admin?.listen,
      'listen on 127.0.0.1 and forward the port to reach it',
    ),
    ...exposed(
      ['listeners', 'app'],
      app,
      'listen on 127.0.0.1, or set listeners.unsafe_app_listener_anywhere when a network policy guards it',
    ),
    ...(outbound?.services ?? []).flatMap((service, index) =>
      exposed(
        ['outbound', 'services', index, 'listen'],
        service.listen,
        'listen on 127.0.0.1: whoever reaches this port acts as the application',
      ),
    ),
  ]
}

interface Door {
  readonly address: Address
  readonly path: Path
}

const doors = ({ config }: CheckSubject): readonly Door[] => {
  const door = (address: Address | undefined, ...path: Path): readonly Door[] =>
    address && address.port !== 0 ? [{ address, path }] : []
  return [
    ...door(config.inbound?.listen, 'inbound', 'listen'),
    ...door(config.listeners?.app, 'listeners', 'app'),
    ...door(config.listeners?.health, 'listeners', 'health'),
    ...door(config.admin?.listen, 'admin', 'listen'),
    ...(config.outbound?.services ?? []).flatMap(({ listen }, index) =>
      door(listen, 'outbound', 'services', index, 'listen'),
    ),
  ]
}

const isAnywhere = (host: string): boolean => host === '0.0.0.0' || host === '::'

const meet = (left: Address, right: Address): boolean =>
  left.port === right.port &&
  (left.host === right.host || isAnywhere(left.host) || isAnywhere(right.host))

const addressesInUse = (subject: CheckSubject): readonly ConfigFault[] => {
  const all = doors(subject)
  const clashes = all.flatMap((door, index) => {
    const earlier = all.slice(0, index).find((other) => meet(other.address, door.address))
    if (!earlier) return []
    return [
      subject.fault(door.path, {
        expected: 'an address of its own',
        got: `${formatAddress(door.address)}, which ${formatPath(earlier.path)} has (${formatAddress(earlier.address)})`,
        hint: 'give one of the two another port',
      }),
    ]
  })
  const app = subject.config.inbound?.app.address
  const own = app ? all.find((door) => meet(door.address, app)) : undefined
  if (!app || !own) return clashes
  return [
    ...clashes,
    subject.fault(['inbound', 'app', 'address'], {
      expected: 'the address of the application',
      got: `${formatAddress(app)}, which is our own ${formatPath(own.path)}`,
      hint: 'give the port that the application listens on',
    }),
  ]
}
