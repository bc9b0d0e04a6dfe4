/**
 * What a check is given and what it gives back.
 *
 * A check looks at sections that are each well-formed and finds what only shows when they are seen together, or beside
 * the files that they name. A section that is itself wrong is absent, so that its faults do not hide those of others.
 */
import type { ConfigFault, Path } from '../read/fault.ts'
import type { SidecarConfig } from '../schema.ts'

/** The words of a fault whose place is known by its path. */
export interface FaultWords {
  readonly expected: string
  readonly got: string
  readonly hint: string
}

/** What a check looks at. */
export interface CheckSubject {
  /** The sections that are well-formed, with every path made absolute. */
  readonly config: Partial<SidecarConfig>
  /** True when the file itself says something at `path`, so that a default is told from a choice. */
  isWritten(path: Path): boolean
  /** A fault at the value of `path`. */
  fault(path: Path, words: FaultWords): ConfigFault
}
