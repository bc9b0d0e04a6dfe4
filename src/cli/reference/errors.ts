/** `docs/errors.md`: every code that a request can be refused with, from the table that the code answers from. */
import { codes, type CodeEntry } from '../../exchange/codes.ts'

const introduction = `# Errors

A request that is not passed on is answered with \`application/problem+json\` (RFC 9457). \`code\` is one of the codes
below and never changes its meaning; \`id\` is the decision id, which is also on the span, in the log and in the audit
record. \`detail\` and \`hint\` are given to the application beside the sidecar and to authenticated peers; a stranger gets
the code alone. gRPC callers get the gRPC status.

*fault* says who can change something: the caller, the operator of this sidecar, the upstream, or the sidecar itself.
*retry* says whether the same request can succeed later without a change.

This page is generated from the code by \`npm run docs\`.`

const grpcNames: Readonly<Record<number, string>> = {
  1: 'CANCELLED',
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
}

const section = (family: string, rows: readonly (readonly [string, CodeEntry])[]): string =>
  [
    `## ${family}`,
    '',
    '| code | HTTP | gRPC | fault | retry | what it means | what to do |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      ([code, entry]) =>
        `| \`${code}\` | ${entry.status} | ${grpcNames[entry.grpc] ?? entry.grpc} | ${entry.fault} | ${entry.retry ? 'yes' : 'no'} | ${entry.title} | ${entry.hint} |`,
    ),
  ].join('\n')

/** The page. */
export const errorsPage = (): string => {
  const rows = Object.entries<CodeEntry>(codes)
  const families = [...new Set(rows.map(([code]) => code.split('.')[0]!))]
  const sections = families.map((family) =>
    section(
      family,
      rows.filter(([code]) => code.startsWith(`${family}.`)),
    ),
  )
  return `${introduction}\n\n${sections.join('\n\n')}\n`
}
