/**
 * The hop profile `bound`: one JWT in one header, bound to the certificate of the connection.
 *
 * For the composition root, which picks a profile by configuration. It only joins the minter and the verifier.
 */
import { hopTokenHeader } from './hop-token.ts'
import type { HopProfile } from './hop-token.ts'
import { HopMinter } from './mint.ts'
import type { HopMinterParts } from './mint.ts'
import { HopVerifier } from './verify.ts'

/** Builds the profile with its own memory of minted and verified tokens. */
export const boundProfile = (parts: HopMinterParts): HopProfile => {
  const minter = new HopMinter(parts)
  const verifier = new HopVerifier(parts)
  return {
    name: 'bound',
    headers: [hopTokenHeader],
    mint: (signer, request) => [[hopTokenHeader, minter.mint(signer, request)]],
    verify: (all, peer, expected) => verifier.verify(all(hopTokenHeader), peer, expected),
  }
}
