/**
 * Times the policy engine on the workloads an inbound proxy has: route tables of growing size, roles,
 * a large list of hosts, and claims of a token. Prints medians and tails; compares nothing.
 *
 *   node bench/rego.ts [--json]
 */

import { performance } from 'node:perf_hooks'

import { compileBundle, type Query } from '../src/rego/policy.ts'

interface Row {
  readonly name: string
  readonly value: unknown
  readonly p50Ns: number
  readonly p99Ns: number
}

const rows: Row[] = []
const budget = { steps: 1_000_000, wallMs: 50 }

function measure(name: string, query: Query, input: unknown): void {
  const options = { budget }
  const decision = query.decide(input, options)
  if (decision.error !== undefined) throw new Error(`${name}: ${decision.error.message}`)
  for (let round = 0; round < 20_000; round += 1) query.decide(input, options)
  const times: number[] = []
  for (let round = 0; round < 300; round += 1) {
    const start = performance.now()
    for (let call = 0; call < 200; call += 1) query.decide(input, options)
    times.push(((performance.now() - start) * 1e6) / 200)
  }
  times.sort((a, b) => a - b)
  const at = (share: number): number => Math.round(times[Math.floor(times.length * share)] ?? 0)
  rows.push({ name, value: decision.value, p50Ns: at(0.5), p99Ns: at(0.99) })
}

function routePolicy(size: number): void {
  const rule = (at: number): string => `allow if {
	input.attributes.request.http.method == "${methodOf(at)}"
	input.parsed_path = ["svc${at}", id]
	input.source_principal == "spiffe://td/ns/a/sa/${at % 50}"
}`
  const rules = Array.from({ length: size }, (_, at) => rule(at))
  const text = ['package authz', 'default allow := false', ...rules].join('\n')
  const start = performance.now()
  const query = compileBundle({ modules: [{ file: 'routes.rego', text }] }).prepare(
    'data.authz.allow',
  )
  const compileMs = performance.now() - start
  rows.push({
    name: `routes ${size}: compile, ms`,
    value: Math.round(compileMs),
    p50Ns: 0,
    p99Ns: 0,
  })
  const last = size - 1
  const input = {
    attributes: { request: { http: { method: methodOf(last) } } },
    parsed_path: [`svc${last}`, '42'],
    source_principal: `spiffe://td/ns/a/sa/${last % 50}`,
  }
  measure(`routes ${size}: allow`, query, input)
  measure(`routes ${size}: deny`, query, { ...input, source_principal: 'spiffe://td/ns/b/sa/x' })
}

function methodOf(at: number): string {
  return ['GET', 'POST', 'PUT'][at % 3] ?? 'GET'
}

function roles(): void {
  const permissions = (role: number) =>
    Array.from({ length: 10 }, (_, at) => ({
      action: `a${at}`,
      resource: `r${(role * 7 + at) % 100}`,
    }))
  const rolesOf = (user: number) =>
    Array.from({ length: 5 }, (_, at) => `role${(user * 13 + at * 101) % 1000}`)
  const data = {
    roles: Object.fromEntries(
      Array.from({ length: 1000 }, (_, at) => [`role${at}`, permissions(at)]),
    ),
    users: Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`user${at}`, rolesOf(at)])),
  }
  const text = `package rbac
default allow := false
allow if {
	some role in data.users[input.user]
	some permission in data.roles[role]
	permission.action == input.action
	permission.resource == input.resource
}`
  const query = compileBundle({ modules: [{ file: 'rbac.rego', text }], data }).prepare(
    'data.rbac.allow',
  )
  const lastRole = (77 * 13 + 4 * 101) % 1000
  measure('roles 1000: allow', query, {
    user: 'user77',
    action: 'a9',
    resource: `r${(lastRole * 7 + 9) % 100}`,
  })
  measure('roles 1000: deny', query, { user: 'user77', action: 'none', resource: 'none' })
}

function hosts(): void {
  const data = {
    hosts: Object.fromEntries(
      Array.from({ length: 100_000 }, (_, at) => [`h${at}.example.com`, true]),
    ),
  }
  const text = `package egress
default allow := false
allow if data.hosts[input.host]
known contains host if some host, _ in data.hosts
default listed := false
listed if input.host in known
default linear := false
linear if input.host in data.list`
  const list = Object.keys(data.hosts)
  const policy = compileBundle({
    modules: [{ file: 'egress.rego', text }],
    data: { ...data, list },
  })
  measure('hosts 100000: key of an object', policy.prepare('data.egress.allow'), {
    host: 'h99999.example.com',
  })
  measure('hosts 100000: member of a set', policy.prepare('data.egress.listed'), {
    host: 'h99999.example.com',
  })
  measure('hosts 100000: item of an array', policy.prepare('data.egress.linear'), {
    host: 'h99999.example.com',
  })
  measure('hosts 100000: deny', policy.prepare('data.egress.listed'), { host: 'evil.example.net' })
}

function claims(): void {
  const text = `package claims
default allow := false
valid if {
	input.claims.iss == "https://issuer.example"
	"orders" in input.claims.aud
	now := time.now_ns() / 1000000000
	input.claims.nbf <= now
	now < input.claims.exp
}
allow if {
	valid
	input.method == "GET"
	input.claims.role == "guest"
	glob.match("/people/*", ["/"], input.path)
}`
  const query = compileBundle({ modules: [{ file: 'claims.rego', text }] }).prepare(
    'data.claims.allow',
  )
  const token = {
    iss: 'https://issuer.example',
    aud: ['shop', 'orders'],
    nbf: 1,
    exp: 4e9,
    role: 'guest',
  }
  measure('claims: allow', query, { method: 'GET', path: '/people/1', claims: token })
  measure('claims: deny', query, { method: 'GET', path: '/people/1', claims: { ...token, exp: 2 } })
}

for (const size of [10, 100, 1000, 10_000]) routePolicy(size)
roles()
hosts()
claims()

if (process.argv.includes('--json')) console.log(JSON.stringify(rows, null, 2))
else
  for (const { name, value, p50Ns, p99Ns } of rows) {
    console.log(
      `${name.padEnd(34)} ${JSON.stringify(value).padEnd(7)} p50 ${p50Ns} ns, p99 ${p99Ns} ns`,
    )
  }
